package attach

import "github.com/weirproject/weir/bpf"

// Cgroup returns the path of a group that a sample named: programs put it into a map before they name it, and there
// it stays when the group is gone, and through an attachment's runs. It is none for the root, and where thousands of
// groups were named since.
func (a *Attachment) Cgroup(key bpf.CgroupKey) (path bpf.CgroupPath, ok bool) {
	err := a.objects.Maps[bpf.MapCgroups].Lookup(&key, &path)
	return path, err == nil
}
