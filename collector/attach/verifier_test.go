package attach

import (
	"maps"
	"slices"
	"testing"

	"github.com/weirproject/weir/bpf"
)

// Every program that this kernel has a hook for is loaded. test/kernel keeps what is told here, so that growth shows.
func TestTheVerifierIsFarFromItsLimit(t *testing.T) {
	const far = 1_000_000 / 2
	cfg := Default()
	kernel, err := kernelTypes(cfg.BTF)
	if err != nil {
		t.Fatal(err)
	}
	l, err := newLoader(cfg, kernel, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.objects.Close()
	for _, name := range slices.Sorted(maps.Keys(l.spec.Programs)) {
		count, ok := l.verified(t, name)
		if !ok {
			continue
		}
		t.Logf("verifier: %s %d", name, count)
		if count > far {
			t.Errorf("%s: the verifier goes through %d instructions, and gives up at a million", name, count)
		}
	}
}

// verified loads the program. There is no count where the kernel does not tell it, or has not what the program needs.
func (l *loader) verified(t *testing.T, name string) (instructions uint32, ok bool) {
	t.Helper()
	for _, ladder := range l.ladders {
		for _, rung := range ladder {
			i := slices.IndexFunc(rung.Programs, func(p bpf.Program) bool { return p.Name == name })
			if i >= 0 && rung.Programs[i].Check(l.kernel) != nil {
				return 0, false
			}
		}
	}
	p, err := l.load(name)
	if err != nil {
		if refused := need(name, err); refused.Need == otherKernel {
			t.Error(refused)
		}
		return 0, false
	}
	defer p.Close()
	info, err := p.Info()
	if err != nil {
		t.Fatal(err)
	}
	return info.VerifiedInstructions()
}
