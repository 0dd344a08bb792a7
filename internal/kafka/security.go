package kafka

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// tlsConfig reads the files that t names; nil stays nil.
func tlsConfig(t *TLS) (*tls.Config, error) {
	if t == nil {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("tls.ca: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls.ca: %s: no PEM certificate in it", t.CA)
		}
	}
	if t.Cert != "" {
		certificate, err := clientCertificate(t.Cert, t.Key)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{certificate}
	}
	return config, nil
}

func clientCertificate(certPath, keyPath string) (tls.Certificate, error) {
	cert, err := os.ReadFile(certPath)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("tls.cert: %w", err)
	}
	key, err := os.ReadFile(keyPath)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("tls.key: %w", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("tls.cert: %s with tls.key %s: %w", certPath, keyPath, err)
	}
	return pair, nil
}

// login reads the password that s refers to; nil stays nil. The mechanisms are franz-go's: they need no
// further module, and like Kafka's own they take passwords as they are, where kafka-go's prepare them.
func login(s *SASL) (sasl.Mechanism, error) {
	if s == nil {
		return nil, nil
	}
	password, err := s.Password.Read()
	if err != nil {
		return nil, fmt.Errorf("sasl.password: %w", err)
	}
	switch s.Mechanism {
	case Plain:
		return plain.Auth{User: s.User, Pass: password}.AsMechanism(), nil
	case ScramSHA256:
		return scram.Auth{User: s.User, Pass: password}.AsSha256Mechanism(), nil
	case ScramSHA512:
		return scram.Auth{User: s.User, Pass: password}.AsSha512Mechanism(), nil
	}
	return nil, fmt.Errorf("sasl.mechanism: %q is not known", s.Mechanism)
}
