// Package host tells who this machine is: the key that it signs with and the id that comes of it, its boot
// and its clocks, and the attributes by which an inventory knows it. It also takes from a process the
// capabilities that it does not need.
//
// It knows nothing of events. parse.go is the core; the rest asks the kernel and the file system.
package host
