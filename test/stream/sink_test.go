package stream_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/test/servers"
)

func TestADeadSinkStopsNoOther(t *testing.T) {
	s := newStream(t)
	s.enrichers = racedEnricher
	port := deafPort(t)
	s.enrich(to("search", "elasticsearch: {urls: ['http://127.0.0.1:%d'], data_stream: %s}", port.number, s.search.stream), s.toFiles())
	s.collects()
	w := newWorkload(t)
	w.processes(100)
	w.network(5)
	await(t, "the file lane goes on", func() error {
		if missing, _ := difference(w.done(), marked(s.files(), w.marker)); len(missing) > 0 {
			return fmt.Errorf("%d events are missing", len(missing))
		}
		return nil
	})
	s.enricher.hasSaid(`msg="destination does not take events; they wait in Kafka"`, 1)

	port.serve(s.search.url)
	s.enricher.hasSaid(`msg="destination takes events again"`, 1)
	w.processes(20)
	s.settles()
	s.enricher.stop()
	compare(t, "files", w.done(), marked(s.files(), w.marker))
	compare(t, "OpenSearch", w.done(), s.search.marked(t, w.marker))
	s.noDeadLetters()
}

// port is a port of 127.0.0.1 that is taken, so that nobody else answers there, and refuses connections.
type port struct {
	t      *testing.T
	fd     int
	number int
}

func deafPort(t *testing.T) port {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return port{t, fd, name.(*unix.SockaddrInet4).Port}
}

// serve passes what comes from now on to the server.
func (p port) serve(server string) {
	p.t.Helper()
	if err := unix.Listen(p.fd, 16); err != nil {
		p.t.Fatal(err)
	}
	file := os.NewFile(uintptr(p.fd), "listener")
	defer file.Close()
	listener, err := net.FileListener(file)
	if err != nil {
		p.t.Fatal(err)
	}
	target, err := url.Parse(server)
	if err != nil {
		p.t.Fatal(err)
	}
	front := &http.Server{Handler: httputil.NewSingleHostReverseProxy(target)}
	go front.Serve(listener)
	p.t.Cleanup(func() { front.Close() })
}

// An operator's own template, of a higher priority than weir's, takes the exit code for an address.
const wrongTemplate = `{"index_patterns": [%q], "data_stream": {}, "priority": 1000, "template": {"mappings": {"dynamic": false, "properties": {
	"@timestamp": {"type": "date"},
	"event": {"properties": {"id": {"type": "keyword"}}},
	"process": {"properties": {"args": {"type": "keyword"}, "exit_code": {"type": "ip"}}},
	"weir": {"properties": {"kind": {"type": "keyword"}}}
}}}}`

func TestWhatOpenSearchRefusesIsADeadLetter(t *testing.T) {
	s := newStream(t)
	s.search.call(t, http.MethodPut, "/_index_template/operators", fmt.Sprintf(wrongTemplate, s.search.stream))
	s.enrich(s.toSearch(), s.toFiles())
	s.collects()
	w := newWorkload(t)
	w.processes(50)
	w.network(5)
	books := s.settles()
	s.enricher.stop()

	var taken, refused []fact
	for _, f := range w.done() {
		if f.Kind == schema.ProcessExit.Name {
			refused = append(refused, f)
		} else {
			taken = append(taken, f)
		}
	}
	compare(t, "OpenSearch", taken, s.search.marked(t, w.marker))
	compare(t, "files", w.done(), marked(s.files(), w.marker))
	var letters []event
	for _, l := range s.deadLetters() {
		e := decode(t, l.GetDocument())
		letters = append(letters, e)
		if l.GetLane() != "search" || l.GetReason() == "" || l.GetTopic() != "weir.enriched" || l.GetEventId() != e.Event.ID {
			t.Errorf("dead letter of event %s: lane %q, event %q, reason %q, topic %q", e.Event.ID, l.GetLane(), l.GetEventId(), l.GetReason(), l.GetTopic())
		}
	}
	compare(t, "weir.deadletter", refused, marked(letters, w.marker))
	if n := books.kinds[schema.ProcessExit.Name]["search refused"]; n != len(letters) {
		t.Errorf("%d dead letters, but in the books %d:\n%s", len(letters), n, books.text)
	}
}

func TestElasticsearchTakesEachEventOnce(t *testing.T) {
	s := newStream(t)
	s.search.url = servers.StartElasticsearch(t)
	s.enrich(s.toSearch())
	s.collects()
	w := newWorkload(t)
	w.processes(100)
	w.network(5)
	s.settles()
	compare(t, "Elasticsearch", w.done(), s.search.marked(t, w.marker))

	// A further lane to the same data stream delivers all of it again.
	s.enricher.stop()
	again := to("again", "elasticsearch: {urls: ['%s'], data_stream: %s}", s.search.url, s.search.stream)
	s.enrich(s.toSearch(), again)
	books := s.balances()
	s.enricher.stop()
	compare(t, "Elasticsearch", w.done(), s.search.marked(t, w.marker))
	for kind := range count(w.done()) {
		if row := books.kinds[kind]; row["again had"] != row["received"] {
			t.Errorf("%s: it had %d of %d already:\n%s", kind, row["again had"], row["received"], books.text)
		}
	}
	s.noDeadLetters()
}
