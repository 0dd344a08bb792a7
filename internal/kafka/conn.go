package kafka

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/apiversions"
	"github.com/segmentio/kafka-go/protocol/saslauthenticate"
	"github.com/segmentio/kafka-go/protocol/saslhandshake"
	"github.com/twmb/franz-go/pkg/sasl"
	"golang.org/x/sys/unix"
)

// dialTimeout bounds a connection's TCP, TLS and login together.
const dialTimeout = 10 * time.Second

// dialer opens connections that are ready for requests.
type dialer struct {
	clientID string
	tls      *tls.Config
	login    sasl.Mechanism
}

// conn is one connection to one broker. It carries one request at a time, and after an error it is
// good for nothing.
type conn struct {
	address  string
	clientID string
	net      net.Conn
	wire     *protocol.Conn
	versions map[protocol.ApiKey]int16
	used     time.Time
}

// dial connects, encrypts, asks for the broker's versions and logs in, all within dialTimeout.
func (d dialer) dial(ctx context.Context, address string) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	c, err := d.connect(ctx, address)
	if err != nil {
		return nil, &UnreachableError{Address: address, Err: err}
	}
	return c, nil
}

func (d dialer) connect(ctx context.Context, address string) (*conn, error) {
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	c, err := d.handshake(ctx, address, raw)
	if err != nil {
		raw.Close()
		return nil, err
	}
	return c, nil
}

func (d dialer) handshake(ctx context.Context, address string, raw net.Conn) (*conn, error) {
	if d.tls != nil {
		config := d.tls.Clone()
		if config.ServerName == "" {
			config.ServerName, _, _ = net.SplitHostPort(address)
		}
		encrypted := tls.Client(raw, config)
		if err := encrypted.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		raw = encrypted
	}
	c := &conn{address: address, clientID: d.clientID, net: raw, wire: protocol.NewConn(raw, d.clientID), used: time.Now()}
	if err := c.within(ctx, c.negotiate); err != nil {
		if d.tls == nil && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, unix.ECONNRESET)) {
			return nil, fmt.Errorf("%w at the first request; it may want TLS", err)
		}
		return nil, err
	}
	if d.login != nil {
		if err := c.authenticate(ctx, d.login); err != nil {
			return nil, fmt.Errorf("log in by %s: %w", d.login.Name(), err)
		}
	}
	return c, nil
}

// within runs one exchange that ends with ctx; then the connection is closed.
func (c *conn) within(ctx context.Context, exchange func() error) error {
	deadline, _ := ctx.Deadline()
	if err := c.net.SetDeadline(deadline); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { c.net.Close() })
	err := exchange()
	if !stop() {
		return context.Cause(ctx)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return context.DeadlineExceeded
	}
	c.used = time.Now()
	return err
}

// roundTrip sends a request and returns its response, which has the request's kind.
func (c *conn) roundTrip(ctx context.Context, request protocol.Message) (response protocol.Message, err error) {
	err = c.within(ctx, func() error {
		response, err = c.wire.RoundTrip(request)
		return err
	})
	return response, err
}

// negotiate learns which versions of each request broker and kafka-go share. It reads the first answer
// of a peer that may be no broker at all, of whose "length" nothing may be allocated.
func (c *conn) negotiate() error {
	const id, bound = 1, 1 << 20
	if err := protocol.WriteRequest(c.wire, 0, id, c.clientID, &apiversions.Request{}); err != nil {
		return err
	}
	frame := make([]byte, 8)
	if _, err := io.ReadFull(c.wire, frame); err != nil {
		return err
	}
	size := binary.BigEndian.Uint32(frame)
	if size < 4 || size > bound || binary.BigEndian.Uint32(frame[4:]) != id {
		return fmt.Errorf("it is no Kafka broker: it answers %q", frame)
	}
	frame = append(frame, make([]byte, size-4)...)
	if _, err := io.ReadFull(c.wire, frame[8:]); err != nil {
		return err
	}
	_, message, err := protocol.ReadResponse(bytes.NewReader(frame), protocol.ApiVersions, 0)
	if err != nil {
		return err
	}
	response := message.(*apiversions.Response)
	if response.ErrorCode != 0 {
		return kafkago.Error(response.ErrorCode)
	}
	c.versions = make(map[protocol.ApiKey]int16, len(response.ApiKeys))
	for _, r := range response.ApiKeys {
		key := protocol.ApiKey(r.ApiKey)
		c.versions[key] = key.SelectVersion(r.MinVersion, r.MaxVersion)
	}
	c.wire.SetVersions(c.versions)
	return nil
}

func (c *conn) authenticate(ctx context.Context, mechanism sasl.Mechanism) error {
	message, err := c.roundTrip(ctx, &saslhandshake.Request{Mechanism: mechanism.Name()})
	if err != nil {
		return err
	}
	if hello := message.(*saslhandshake.Response); hello.ErrorCode != 0 {
		return fmt.Errorf("%w; the broker offers %v", kafkago.Error(hello.ErrorCode), hello.Mechanisms)
	}
	session, token, err := mechanism.Authenticate(ctx, c.address)
	for done := false; err == nil && !done; {
		var challenge []byte
		if challenge, err = c.loginStep(ctx, token); err == nil {
			done, token, err = session.Challenge(challenge)
		}
	}
	return err
}

func (c *conn) loginStep(ctx context.Context, token []byte) ([]byte, error) {
	message, err := c.roundTrip(ctx, &saslauthenticate.Request{AuthBytes: token})
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, errors.New("the broker closed the connection; user or password may be wrong")
	}
	if err != nil {
		return nil, err
	}
	response := message.(*saslauthenticate.Response)
	if response.ErrorCode != 0 {
		return nil, brokerError(response.ErrorCode, response.ErrorMessage)
	}
	return response.AuthBytes, nil
}

func (c *conn) close() { c.net.Close() }
