package host

import (
	"crypto/ed25519"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/weirproject/weir/schema"
)

func TestParseOSRelease(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		want OSRelease
	}{
		"Debian":           {"PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nID=debian\n", OSRelease{"debian", "12", "Debian GNU/Linux 12 (bookworm)"}},
		"rolling":          {"ID=arch\nPRETTY_NAME='Arch \\Linux'", OSRelease{"arch", "", "Arch \\Linux"}},
		"escapes, comment": {"# ID=no\n\nID=\"a\\\"b\\$c\"\nVERSION_ID\nVERSION_ID=\"", OSRelease{"a\"b$c", "\"", ""}},
		"empty":            {"", OSRelease{}},
	} {
		if diff := cmp.Diff(tt.want, parseOSRelease(tt.text)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func FuzzParseOSRelease(f *testing.F) {
	f.Add("ID=\"a\nVERSION_ID='")
	f.Fuzz(func(t *testing.T, text string) {
		r := parseOSRelease(text)
		if len(r.ID)+len(r.Version)+len(r.Name) > len(text) {
			t.Errorf("%q gives more than it has: %q", text, r)
		}
	})
}

func TestOutward(t *testing.T) {
	var in []netip.Addr
	for a := range strings.FieldsSeq("::1 127.0.0.1 fe80::1%eth0 169.254.1.1 2001:db8::2 10.0.0.2 ::ffff:10.0.0.2 224.0.0.1 :: fd00::1 10.0.0.1") {
		in = append(in, netip.MustParseAddr(a))
	}
	got := make([]string, 0, 4)
	for _, a := range outward(in) {
		got = append(got, a.String())
	}
	if diff := cmp.Diff([]string{"10.0.0.1", "10.0.0.2", "2001:db8::2", "fd00::1"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseIDRefuses(t *testing.T) {
	for _, text := range []string{"", "uninitialized", strings.Repeat("x", 32), strings.Repeat("0", 31)} {
		if id, err := parseID(text); err == nil {
			t.Errorf("%q is read as %x", text, id)
		}
	}
}

func TestDescribeSaysWhatTheMachineSays(t *testing.T) {
	key := ed25519.NewKeyFromSeed(make([]byte, 32)).Public().(ed25519.PublicKey)
	h, err := Describe(key)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("uname", "-nmr").Output()
	if err != nil {
		t.Fatal(err)
	}
	// uname prints in its own order: node, release, machine.
	if got := strings.Join([]string{h.Hostname, h.Kernel, h.Architecture}, " "); got != strings.TrimSpace(string(out)) {
		t.Errorf("described as %q, uname says %q", got, out)
	}
	id := schema.NewHostID(key)
	if string(h.HostId) != string(id[:]) || len(h.BootId) != 16 {
		t.Errorf("host id %x, boot id %x", h.HostId, h.BootId)
	}
	for _, a := range h.Addresses {
		if len(a) != 4 && len(a) != 16 {
			t.Errorf("address of %d bytes", len(a))
		}
	}
}

func TestClocksAgree(t *testing.T) {
	at := BootedAt().Add(time.Duration(Now()) * time.Microsecond)
	if off := time.Since(at).Abs(); off > time.Second {
		t.Errorf("boot time and the time since then are %v off", off)
	}
}

func TestAMachineOfThousandAddressesTellsTheFirst(t *testing.T) {
	var in []netip.Addr
	for i := range 6_000 {
		in = append(in, netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}))
	}
	if out := outward(in); len(out) != maxAddresses || out[0] != in[0] {
		t.Errorf("%d addresses, the first is %v", len(out), out[0])
	}
}
