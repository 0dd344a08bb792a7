package fill

import (
	"github.com/weirproject/weir/bpf"
)

// Check implements bpf.Handler.
func (f *Filler) Check(s *bpf.CountSample) {
	if !f.begin(&s.Head) {
		return
	}
	g, by := f.draft.Columns().CapabilityCheck, s.Key.Capability()
	options := bpf.CapabilityOption(by.Options)
	g.Capability = append(g.Capability, uint32(by.Capability))
	g.Refused = append(g.Refused, by.Refused != 0)
	g.Unaudited = append(g.Unaudited, options&bpf.CapabilityNoAudit != 0)
	g.Setid = append(g.Setid, options&bpf.CapabilitySetID != 0)
	g.OptionsUnknown = append(g.OptionsUnknown, options&bpf.CapabilityUnknown != 0)
	g.UserNamespace = append(g.UserNamespace, unless(by.UserNamespace, f.initial.user))
	g.Count = append(g.Count, s.Count.Count)
	g.FirstUs = append(g.FirstUs, int64(bootTime(s.Count.FirstNs)))
}
