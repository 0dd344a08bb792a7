package servers

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Certificates are PEM files of an authority of our own, for 127.0.0.1 and localhost.
type Certificates struct {
	CA                    string // the authority's certificate
	Cert, Key             string // a client's
	ServerCert, ServerKey string

	both string // the server's key and certificate in one file, as Kafka wants them
}

func newCertificates(t T) *Certificates {
	t.Helper()
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	c := &Certificates{CA: in("ca.pem"), Cert: in("client.pem"), Key: in("client.key"), ServerCert: in("server.pem"), ServerKey: in("server.key"), both: in("both.pem")}
	authority, authorityKey := issue(t, "weir test authority", nil, nil)
	parent, err := x509.ParseCertificate(authority.Bytes)
	if err != nil {
		t.Fatalf("servers: %v", err)
	}
	server, serverKey := issue(t, "localhost", parent, authorityKey)
	client, clientKey := issue(t, "weir", parent, authorityKey)
	serverPEM, clientPEM := encodeKey(t, serverKey), encodeKey(t, clientKey)
	for path, blocks := range map[string][]*pem.Block{
		c.CA:         {authority},
		c.ServerCert: {server},
		c.ServerKey:  {serverPEM},
		c.Cert:       {client},
		c.Key:        {clientPEM},
		c.both:       {serverPEM, server, authority},
	} {
		var text []byte
		for _, b := range blocks {
			text = append(text, pem.EncodeToMemory(b)...)
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatalf("servers: %v", err)
		}
	}
	return c
}

// issue makes a key and its certificate, signed by parent or, without one, by itself as an authority.
func issue(t T, name string, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*pem.Block, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatalf("servers: %v", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	if parent == nil {
		template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
		template.ExtKeyUsage, parent, signer = nil, template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatalf("servers: %v", err)
	}
	return &pem.Block{Type: "CERTIFICATE", Bytes: der}, key
}

func encodeKey(t T, key *ecdsa.PrivateKey) *pem.Block {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatalf("servers: %v", err)
	}
	return &pem.Block{Type: "PRIVATE KEY", Bytes: der}
}

// properties is how a Kafka broker is told about the files.
func (c *Certificates) properties() []string {
	return []string{
		"ssl.keystore.type=PEM",
		"ssl.keystore.location=" + c.both,
		"ssl.truststore.type=PEM",
		"ssl.truststore.location=" + c.CA,
		"ssl.client.auth=requested",
	}
}
