package bpf

import (
	"fmt"
	"strings"
	"sync"

	"github.com/cilium/ebpf/btf"
)

// Kind is a kind of event, by the number that samples and counters carry. It is the kernel side's own: on
// the wire a kind is the number of its column group.
type Kind = objectKind

const (
	KindNone              = objectKindKIND_NONE // a process that the task iterator found
	KindProcessFork       = objectKindKIND_PROCESS_FORK
	KindProcessExec       = objectKindKIND_PROCESS_EXEC
	KindProcessExit       = objectKindKIND_PROCESS_EXIT
	KindNetworkConnect    = objectKindKIND_NETWORK_CONNECT
	KindNetworkListen     = objectKindKIND_NETWORK_LISTEN
	KindNetworkClose      = objectKindKIND_NETWORK_CLOSE
	KindCapabilityCheck   = objectKindKIND_CAPABILITY_CHECK
	KindProcessExecFailed = objectKindKIND_PROCESS_EXEC_FAILED
	KindNetworkAccept     = objectKindKIND_NETWORK_ACCEPT
	KindNetworkRetransmit = objectKindKIND_NETWORK_RETRANSMIT
	KindSocketCreate      = objectKindKIND_SOCKET_CREATE
	KindBlockIO           = objectKindKIND_BLOCK_IO

	kindCount = objectKindKIND_COUNT
)

// Outcome is what became of an event.
type Outcome = objectOutcome

const (
	OutcomeSent        = objectOutcomeOUTCOME_SENT
	OutcomeFiltered    = objectOutcomeOUTCOME_FILTERED
	OutcomeCounted     = objectOutcomeOUTCOME_COUNTED
	OutcomeRateLimited = objectOutcomeOUTCOME_RATE_LIMITED
	OutcomeRingFull    = objectOutcomeOUTCOME_RING_FULL
	OutcomeTableFull   = objectOutcomeOUTCOME_TABLE_FULL

	OutcomeCount = objectOutcomeOUTCOME_COUNT
)

// String returns the kind's name, such as "process.exec".
func (k Kind) String() string {
	if name, ok := enumerators().kinds[k]; ok {
		return name
	}
	return fmt.Sprintf("kind %d", uint32(k))
}

// String returns the outcome's word, such as "ring_full".
func (o Outcome) String() string {
	if name, ok := enumerators().outcomes[o]; ok {
		return name
	}
	return fmt.Sprintf("outcome %d", uint32(o))
}

// Kinds returns every kind that the object knows, in the order of their numbers.
func Kinds() []Kind {
	var kinds []Kind
	for k := KindNone + 1; k < kindCount; k++ {
		kinds = append(kinds, k)
	}
	return kinds
}

// KindNamed returns the kind of the name, such as "process.exec".
func KindNamed(name string) (Kind, bool) {
	for kind, known := range enumerators().kinds {
		if known == name {
			return kind, true
		}
	}
	return KindNone, false
}

// ProgramNames are the names of every program, by their numbers.
func ProgramNames() []string {
	names := make([]string, programCount)
	for name, index := range enumerators().programs {
		names[index] = name
	}
	return names
}

// names are the words that the object's types have for the numbers of its enums.
type names struct {
	kinds    map[Kind]string
	outcomes map[Outcome]string
	programs map[string]uint16
}

// enumerators reads the names once: C's enums are the only lists.
var enumerators = sync.OnceValue(func() names {
	types := mustSpec().Types
	n := names{make(map[Kind]string), make(map[Outcome]string), make(map[string]uint16)}
	for _, v := range enumerated(types, "kind") {
		if k := Kind(v.Value); k != KindNone && k < kindCount {
			n.kinds[k] = dotted(strings.TrimPrefix(v.Name, "KIND_"))
		}
	}
	for _, v := range enumerated(types, "outcome") {
		if o := Outcome(v.Value); o < OutcomeCount {
			n.outcomes[o] = strings.ToLower(strings.TrimPrefix(v.Name, "OUTCOME_"))
		}
	}
	for _, v := range enumerated(types, "program") {
		if index := objectProgram(v.Value); index < programCount {
			n.programs[strings.TrimPrefix(v.Name, "PROGRAM_")] = uint16(index)
		}
	}
	return n
})

const programCount = objectProgramPROGRAM_COUNT

func enumerated(types *btf.Spec, name string) []btf.EnumValue {
	var enum *btf.Enum
	if err := types.TypeByName(name, &enum); err != nil {
		panic(fmt.Sprintf("bpf: object of another build: %v", err))
	}
	return enum.Values
}

// dotted makes "process.exec_failed" of "PROCESS_EXEC_FAILED": a kind's noun is one word.
func dotted(enumerator string) string {
	return strings.Replace(strings.ToLower(enumerator), "_", ".", 1)
}
