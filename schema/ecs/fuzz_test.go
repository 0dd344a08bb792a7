package ecs_test

import (
	"testing"

	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
)

// Whatever the kernel had as names: one document, without a key twice or an empty object.
func FuzzDocumentsAreJSON(f *testing.F) {
	f.Add([]byte("/usr/bin/ls"), []byte("ls\x00-l\x00"), []byte("ls"))
	f.Add([]byte("/tmp/\xff\"\\\n"), []byte("\x00\x00\xc3"), []byte("\x00"))
	f.Add([]byte("/"), []byte("\x00"), []byte{})
	f.Fuzz(func(t *testing.T, path, arguments, name []byte) {
		s := newSample()
		s.curl = s.AddProcess(batch.ProcessEntry{
			Key:        schema.ProcessKey{TGID: 9, Start: 9, Exec: 1},
			Parent:     s.shell,
			Executable: path, Arguments: arguments, Comm: name,
		})
		s.credentials = s.Credentials(batch.Credentials{UserName: string(name), GroupName: string(path)})
		samples[schema.ProcessExec](s)
		g := s.groups.ProcessExec
		g.Arguments[0] = s.Text(arguments)
		g.Filename[0] = s.Text(path)
		samples[schema.ProcessExit](s)
		b := s.read(t)
		documents := encoder(t).Batch(b, nil)
		for row := range b.Rows() {
			decodeStrictly(t, documents.Append(nil, row))
		}
	})
}
