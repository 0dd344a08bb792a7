package bpf

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"os"

	"github.com/cilium/ebpf"
)

// Names in the object, for those who load it.
const (
	MapRing        = objectMapRing        // samples
	MapCounters    = objectMapCounters    // the ledger's kernel side: ProgramCounters a CPU, by Program.Index
	MapSockets     = objectMapSockets     // what programs remember of sockets that have no storage, by their addresses
	MapCgroups     = objectMapCgroups     // CgroupPath by CgroupKey, of every group that a sample names
	VarGiven       = objectVarGiven       // Given
	VarSocketEpoch = objectVarSocketEpoch // uint32: of what programs remember of sockets

	MapCounts      = objectMapCounts      // what is counted: Count by CountKey
	MapCountedKeys = objectMapCountedKeys // EpochKeys by the epoch modulo Epochs
	VarCountEpoch  = objectVarCountEpoch  // uint32: the epoch that is counted in

	VarReaderDozes = objectVarReaderDozes // a uint32: not 0, and the next sample wakes the reader

	// Iterators' programs, which are in no ladder: ProgramSeed tells of processes, ProgramSeedSockets fills sockets.
	ProgramSeed        = objectProgProcessIterTask
	ProgramSeedSockets = objectProgNetworkIterTaskFile
)

// ProgramCounters is what one program has counted on one CPU.
type ProgramCounters = objectProgramCounters

// Given holds the kinds that each program is to give, a bit a kind; a run of a kind that is not given is
// ignored.
type Given [programCount]uint32

// Add lets the rung's programs give its kind.
func (g *Given) Add(r Rung) {
	for _, p := range r.Programs {
		g[p.Index] |= 1 << r.Kind
	}
}

// Settings are what has to be known before the object is loaded.
type Settings struct {
	RingBytes uint32 // a power of two, and a multiple of the page size
	Sockets   uint32 // TCP sockets whose opener is remembered
	// Environment says that the environment of what is executed is read.
	Environment bool
}

// Spec returns the object with these settings, with nothing loaded.
func Spec(s Settings) (*ebpf.CollectionSpec, error) {
	spec, err := loadObject()
	if err != nil {
		return nil, err
	}
	spec.Maps[objectMapRing].MaxEntries = s.RingBytes
	spec.Maps[objectMapSockets].MaxEntries = s.Sockets
	quarter := uint64(s.RingBytes / 4)
	for name, bytes := range map[string]uint64{
		objectVarWakeupBytes: quarter,
		objectVarCommonBytes: 3 * quarter,
		objectVarShareBytes:  quarter / uint64(kindCount-1),
	} {
		if err := spec.Variables[name].Set(bytes); err != nil {
			return nil, fmt.Errorf("set %s: %w", name, err)
		}
	}
	if err := spec.Variables[objectVarWantsEnvironment].Set(s.Environment); err != nil {
		return nil, fmt.Errorf("set wants_environment: %w", err)
	}
	if err := spec.Variables[objectVarPageBytes].Set(uint64(os.Getpagesize())); err != nil {
		return nil, fmt.Errorf("set page_bytes: %w", err)
	}
	return spec, nil
}

// Build names this build of the object: whoever finds maps later knows by it whether this package reads them.
func Build() [sha256.Size]byte { return sha256.Sum256(_ObjectBytes) }

// Only returns a copy of spec that has no program but those named.
func Only(spec *ebpf.CollectionSpec, names ...string) *ebpf.CollectionSpec {
	keep := make(map[string]bool, len(names))
	for _, name := range names {
		keep[name] = true
	}
	pruned := spec.Copy()
	maps.DeleteFunc(pruned.Programs, func(name string, _ *ebpf.ProgramSpec) bool { return !keep[name] })
	return pruned
}

// mustSpec parses the embedded object. That it parses is a matter of the build, not of the machine.
func mustSpec() *ebpf.CollectionSpec {
	spec, err := loadObject()
	if err != nil {
		panic(fmt.Sprintf("bpf: embedded object: %v", err))
	}
	return spec
}
