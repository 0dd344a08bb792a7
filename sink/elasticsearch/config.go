package elasticsearch

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/weirproject/weir/internal/config"
	"github.com/weirproject/weir/schema/ecs"
)

// Config is the configuration of the destination elasticsearch: Elasticsearch and OpenSearch.
type Config struct {
	// Servers of one cluster, such as https://search1:9200. One is used until it fails, then the next.
	URLs []string `yaml:"urls"`
	// Data stream that the events go to. Its index template has the same name.
	DataStream string `yaml:"data_stream"`
	// Install the index template before the first event. Where this is off, somebody else has to, or the
	// server guesses the fields' types.
	InstallTemplate bool `yaml:"install_template"`
	// User, for basic authentication.
	Username string `yaml:"username"`
	// File that holds the password of username.
	Password config.Secret `yaml:"password"`
	// File that holds an API key in its encoded form, in place of username and password.
	APIKey config.Secret `yaml:"api_key"`
	// How https servers are recognised, and this client by them.
	TLS TLS `yaml:"tls"`
	// Compress requests with gzip.
	Compress bool `yaml:"compress"`
	// Most bytes of events that one request holds, before compression. It becomes smaller by itself where
	// the server answers that it is too large.
	RequestBytes config.Size `yaml:"request_bytes"`
	// Longest wait for the answer to one request.
	Timeout time.Duration `yaml:"timeout"`
}

// TLS says whom to trust and who this client is.
type TLS struct {
	// PEM file with the certificates that servers are checked against; empty: the system's.
	CA string `yaml:"ca"`
	// PEM file with this client's certificate, where servers ask for one.
	Cert string `yaml:"cert"`
	// PEM file with the key of cert.
	Key string `yaml:"key"`
}

// Default returns the defaults.
func Default() *Config {
	return &Config{
		DataStream:      ecs.DataStream,
		InstallTemplate: true,
		Compress:        true,
		RequestBytes:    8 * config.MiB,
		Timeout:         time.Minute,
	}
}

// Validate joins all faults.
func (c *Config) Validate() error {
	var errs []error
	if len(c.URLs) == 0 {
		errs = append(errs, config.Invalid("urls", "is missing; write at least one server, such as https://search1:9200"))
	}
	for i, text := range c.URLs {
		if err := checkURL(text); err != nil {
			errs = append(errs, config.Invalid(fmt.Sprintf("urls[%d]", i), "%v", err))
		}
	}
	if err := checkDataStream(c.DataStream); err != nil {
		errs = append(errs, config.Invalid("data_stream", "%v", err))
	}
	if c.Username != "" && c.Password.IsZero() {
		errs = append(errs, config.Invalid("password", "is missing; username needs one"))
	}
	if c.Username == "" && !c.Password.IsZero() {
		errs = append(errs, config.Invalid("username", "is missing; password needs one"))
	}
	if c.Username != "" && !c.APIKey.IsZero() {
		errs = append(errs, config.Invalid("api_key", "stands beside username; keep one of the two"))
	}
	if c.RequestBytes < config.KiB {
		errs = append(errs, config.Invalid("request_bytes", "%s; an event alone can be larger, write at least 1KiB", c.RequestBytes))
	}
	if c.Timeout <= 0 {
		errs = append(errs, config.Invalid("timeout", "%s; it must be above 0s", c.Timeout))
	}
	return errors.Join(errs...)
}

// Validate joins all faults.
func (t *TLS) Validate() error {
	if (t.Cert == "") != (t.Key == "") {
		return config.Invalid("cert", "cert and key need each other")
	}
	return nil
}

func checkURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return errors.New("is no server; write one such as https://search1:9200")
	case u.User != nil:
		return errors.New("holds a password; write username and password: file:/absolute/path")
	case u.RawQuery != "" || u.Fragment != "":
		return errors.New("has more than a server and a path")
	}
	return nil
}

// checkDataStream holds the name to what both servers take.
func checkDataStream(name string) error {
	switch {
	case name == "":
		return errors.New("is missing")
	case len(name) > 255 || name != strings.ToLower(name) || strings.ContainsAny(name, `\/*?"<>| ,#:`) || strings.ContainsRune("-_+.", rune(name[0])):
		return fmt.Errorf("%.40q is no name of a data stream; write lower-case letters, digits and -, such as weir-events", name)
	}
	return nil
}

// client reads the files. The certificate is read again at each handshake, so that a renewed one is taken
// up without a restart.
func (t *TLS) client() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("tls.ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls.ca: %s has no certificate in PEM", t.CA)
		}
	}
	if t.Cert == "" {
		return c, nil
	}
	if _, err := t.keyPair(); err != nil {
		return nil, err
	}
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return t.keyPair() }
	return c, nil
}

func (t *TLS) keyPair() (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
	if err != nil {
		return nil, fmt.Errorf("tls.cert %s with tls.key %s: %w", t.Cert, t.Key, err)
	}
	return &pair, nil
}
