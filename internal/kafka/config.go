package kafka

import (
	"errors"
	"net"
	"strconv"

	"github.com/weirproject/weir/internal/config"
)

// Config says how Kafka is reached.
type Config struct {
	// Addresses (host:port) of some brokers; the others are learned from them.
	Brokers []string `yaml:"brokers"`
	// Name under which this client appears in the brokers' logs and quotas.
	ClientID string `yaml:"client_id"`
	// Encrypts the connections where it is present, even if empty.
	TLS *TLS `yaml:"tls"`
	// Logs in where it is present.
	SASL *SASL `yaml:"sasl"`
	// How much of one partition is read at once. A batch of records beyond it is skipped and reported.
	FetchBytes config.Size `yaml:"fetch_bytes"`
}

// TLS says whom to trust and who this client is.
type TLS struct {
	// PEM file with the certificates that brokers are checked against; empty: the system's.
	CA string `yaml:"ca"`
	// PEM file with this client's certificate, where brokers ask for one.
	Cert string `yaml:"cert"`
	// PEM file with the key of cert.
	Key string `yaml:"key"`
	// Name that the brokers' certificates must have; empty: the host in the address.
	ServerName string `yaml:"server_name"`
}

// SASL is a login.
type SASL struct {
	// How the password is proven.
	Mechanism Mechanism `yaml:"mechanism"`
	// Whose password it is.
	User string `yaml:"user"`
	// File that holds the password.
	Password config.Secret `yaml:"password"`
}

// Mechanism is a way of SASL to log in.
type Mechanism string

// The mechanisms that weir speaks.
const (
	Plain       Mechanism = "plain"
	ScramSHA256 Mechanism = "scram-sha-256"
	ScramSHA512 Mechanism = "scram-sha-512"
)

// Words lists the mechanisms for the configuration.
func (Mechanism) Words() []string {
	return []string{string(Plain), string(ScramSHA256), string(ScramSHA512)}
}

// Default returns what a configuration leaves open.
func Default() Config {
	return Config{Brokers: []string{"127.0.0.1:9092"}, ClientID: "weir", FetchBytes: 8 * config.MiB}
}

// Bounds of fetch_bytes: the least takes the largest record that a topic of the stream may hold; above the
// most, a few partitions outweigh the machine.
const minFetchBytes, maxFetchBytes = maxEnvelopeRecord, 256 * config.MiB

// Validate joins all faults of the keys in c itself; those of tls and sasl are told by theirs.
func (c Config) Validate() error {
	var faults []error
	if len(c.Brokers) == 0 {
		faults = append(faults, config.Invalid("brokers", `empty; name at least one broker, such as "kafka1:9092"`))
	}
	for _, address := range c.Brokers {
		if !isAddress(address) {
			faults = append(faults, config.Invalid("brokers", `%q is not an address; write host:port, such as "kafka1:9092"`, address))
		}
	}
	if c.FetchBytes < minFetchBytes || c.FetchBytes > maxFetchBytes {
		faults = append(faults, config.Invalid("fetch_bytes", "%s is out of bounds; write a size from %s to %s", c.FetchBytes, minFetchBytes, maxFetchBytes))
	}
	return errors.Join(faults...)
}

func isAddress(address string) bool {
	host, port, err := net.SplitHostPort(address)
	n, errPort := strconv.ParseUint(port, 10, 16)
	return err == nil && errPort == nil && host != "" && n != 0
}

// Validate refuses half a client certificate.
func (t TLS) Validate() error {
	switch {
	case t.Cert != "" && t.Key == "":
		return config.Invalid("key", "missing; cert and key go together")
	case t.Cert == "" && t.Key != "":
		return config.Invalid("cert", "missing; cert and key go together")
	}
	return nil
}

// Validate refuses an incomplete login.
func (s SASL) Validate() error {
	var faults []error
	if s.Mechanism == "" {
		faults = append(faults, config.Invalid("mechanism", "missing; write plain, scram-sha-256 or scram-sha-512"))
	}
	if s.User == "" {
		faults = append(faults, config.Invalid("user", "missing"))
	}
	if s.Password.IsZero() {
		faults = append(faults, config.Invalid("password", "missing; write file:/absolute/path of the file that holds it"))
	}
	return errors.Join(faults...)
}
