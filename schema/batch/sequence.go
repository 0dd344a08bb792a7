package batch

import "fmt"

// sequenceCoder turns the column Common.sequence into what goes to the wire, and back. A sample's number is
// nearly always its CPU's last one plus 1, which is 0 on the wire.
type sequenceCoder struct {
	before []int64 // by CPU: number of the row before that has one
}

func (s *sequenceCoder) encode(cpus []uint32, column []int64) {
	s.before = s.before[:0]
	for i, number := range column {
		before := s.of(cpus[i])
		column[i] = number - *before - 1
		if number != 0 {
			*before = number
		}
	}
}

// decode undoes encode. An empty column, which was left out, is one of zeros.
func (s *sequenceCoder) decode(cpus []uint32, column []int64) error {
	for i, delta := range column {
		var cpu uint32
		if i < len(cpus) {
			cpu = cpus[i]
		}
		if cpu >= MaxCPUs {
			return fmt.Errorf("row %d: CPU %d", i, cpu)
		}
		before := s.of(cpu)
		number := *before + 1 + delta
		if number < 0 || delta > 0 && number < delta {
			return fmt.Errorf("row %d: %d more than %d is negative or too large", i, delta, *before)
		}
		column[i] = number
		if number != 0 {
			*before = number
		}
	}
	return nil
}

func (s *sequenceCoder) of(cpu uint32) *int64 {
	for uint32(len(s.before)) <= cpu {
		s.before = append(s.before, 0)
	}
	return &s.before[cpu]
}
