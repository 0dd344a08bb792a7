package collector

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
	"github.com/weirproject/weir/schema/ledger"
)

// capSysTTYConfig is what vhangup asks for, and nothing else on a machine at rest.
const capSysTTYConfig = 26

// checkUntilStopped asks for a capability that it has given up, until its input ends, and says how often.
func checkUntilStopped() int {
	if err := syscall.Setuid(65534); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, os.Stdin)
	}()
	for n := 0; ; n++ {
		select {
		case <-ended:
			fmt.Println(n)
			return 0
		default:
			syscall.Syscall(syscall.SYS_VHANGUP, 0, 0, 0)
		}
	}
}

// checksBy adds up the refused checks of the capability that a process is told to have made.
func checksBy(batches []*batch.Batch, tgid int) (count uint64, rows int) {
	for _, b := range batches {
		p := b.Proto()
		for row := range b.Rows() {
			g := p.GetCapabilityCheck()
			if b.KindName(row) != schema.CapabilityCheck.Name || schema.At(g.GetCapability(), row.GroupRow) != capSysTTYConfig {
				continue
			}
			actor := int(p.GetCommon().GetProcess()[row.Index]) - 1
			if schema.At(p.GetProcesses().GetTgid(), actor) == int32(tgid) && schema.At(g.GetRefused(), row.GroupRow) {
				count += schema.At(g.GetCount(), row.GroupRow)
				rows++
			}
		}
	}
	return count, rows
}

func TestWhatWasCountedIsToldOnceHoweverOftenTheCollectorIsKilled(t *testing.T) {
	const kills = 6
	v := newVictim(t)
	v.start()
	v.runs(0)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	asks := exec.Command(self)
	asks.Env = append(os.Environ(), workloadChecks+"=1")
	input, err := asks.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	asks.Stdout, asks.Stderr = &said, os.Stderr
	if err := asks.Start(); err != nil {
		t.Fatal(err)
	}
	for range kills {
		time.Sleep(time.Duration(rand.IntN(1500)) * time.Millisecond) // at a random moment, of its summary too
		v.kill()
		v.start()
	}
	if err := input.Close(); err != nil {
		t.Fatal(err)
	}
	if err := asks.Wait(); err != nil {
		t.Fatal(err)
	}
	v.runs(len(v.batches()))
	v.stop()

	want, err := strconv.ParseUint(strings.TrimSpace(said.String()), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	count, rows := checksBy(v.batches(), asks.Process.Pid)
	t.Logf("%d checks in %d rows", want, rows)
	if count != want || rows < 2 {
		t.Errorf("%d checks are told, in %d rows; %d were made", count, rows, want)
	}
	for _, wrong := range ledger.Check(v.batches()[len(v.batches())-1].Ledger()) {
		t.Error(wrong)
	}
}
