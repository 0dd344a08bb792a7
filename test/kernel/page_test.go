package kernel

import (
	"strings"
	"testing"

	"github.com/weirproject/weir/bpf"
	"github.com/weirproject/weir/test/kernel/survey"
)

func TestThePageTellsWhichKernelsTookARungAndWhyOthersDidNot(t *testing.T) {
	const kind = bpf.KindNetworkConnect
	ladders := bpf.Ladders{kind: {
		{Kind: kind, Order: 1, Programs: []bpf.Program{{Hook: "fexit/a"}, {Hook: "tp_btf/b"}}},
		{Kind: kind, Order: 2, Programs: []bpf.Program{{Hook: "tp_btf/b"}}, Lacks: []string{"errno", "port"}, Misses: []string{"a way"}},
	}}
	kinds := func(rung int, refused ...string) survey.Survey {
		return survey.Survey{Kinds: []survey.Kind{{Name: kind.String(), Rung: rung, Refused: refused}}}
	}
	kernels := []column{{"old", kinds(2, "no fexit")}, {"older", kinds(0, "no fexit", "no b")}, {"new", kinds(1)}}
	under := []column{{"refused", survey.Survey{Refused: "no types"}}, {"without", kinds(1)}, {"less", kinds(2, "no fexit")}, {"nothing", kinds(0)}}
	got := page(ladders, kernels, under, column{"9.9", kinds(2, "EPERM")})
	for _, want := range []string{
		"| kind | old | older | new |\n",
		"| [network.connect](#networkconnect) | 2, lacks some | none | 1 |\n",
		"| 1 | `fexit/a` `tp_btf/b` |  |  | new |\n",
		"| 2 | `tp_btf/b` | errno; port | a way | old |\n",
		"Refused by old, older: no fexit.\n\nRefused by older: no b.\n",
		"| refused | it refuses to start: no types |\n",
		"| without | all comes as without |\n",
		"| less | network.connect comes by rung 2 and lacks errno; port; misses a way; (no fexit) |\n",
		"| nothing | network.connect does not come |\n",
		hostHead + "9.9\n",
		"| network.connect | 2 | `tp_btf/b` | errno; port | a way |\n",
		"Refused by 9.9: EPERM.\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}
