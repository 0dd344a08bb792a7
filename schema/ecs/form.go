package ecs

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"net/netip"
	"strconv"
	"unicode/utf8"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
)

// form appends a column's value as JSON. Integers come as their two's complement.
type form func(d *Documents, dst []byte, v uint64) []byte

// shape is a form and the Elasticsearch field type that fits it.
type shape struct {
	form    form
	mapping string
}

// forms is the closed set of weirv1.Form. References to tables have no shape of their own.
var forms = map[weirv1.Form]shape{
	weirv1.Form_FORM_TEXT:          {appendText, "keyword"},
	weirv1.Form_FORM_ARGUMENTS:     {appendArgumentsOf, "keyword"},
	weirv1.Form_FORM_ADDRESS:       {appendAddressOf, "ip"},
	weirv1.Form_FORM_BOOT_TIME:     {appendBootTime, "date"},
	weirv1.Form_FORM_DURATION:      {appendDuration, "long"},
	weirv1.Form_FORM_ERRNO:         {appendErrno, "keyword"},
	weirv1.Form_FORM_SIGNAL:        {appendSignal, "keyword"},
	weirv1.Form_FORM_CAPABILITIES:  {appendCapabilities, "keyword"},
	weirv1.Form_FORM_UNIX_TIME:     {appendUnixTime, "date"},
	weirv1.Form_FORM_DICTIONARY_ID: {appendDictionaryID, "keyword"},
	weirv1.Form_FORM_KIND:          {appendKind, "keyword"},
	weirv1.Form_FORM_THREAD:        {appendThread, "long"},
	weirv1.Form_FORM_DEVICE:        {appendDevice, "keyword"},
	weirv1.Form_FORM_CAPABILITY:    {appendCapability, "keyword"},
	weirv1.Form_FORM_MODE:          {appendMode, "keyword"},
}

// plainShape returns the shape of a column without a form: that of its type.
func plainShape(c *schema.Column) shape {
	switch c.Type {
	case schema.Bool:
		return shape{appendBool, "boolean"}
	case schema.Enum:
		return shape{labelled(c.Labels), "keyword"}
	case schema.Int32, schema.Int64:
		return shape{appendInt, "long"}
	default:
		return shape{appendUint, "long"}
	}
}

func appendUint(_ *Documents, dst []byte, v uint64) []byte { return strconv.AppendUint(dst, v, 10) }

func appendInt(_ *Documents, dst []byte, v uint64) []byte {
	return strconv.AppendInt(dst, int64(v), 10)
}

func appendBool(_ *Documents, dst []byte, v uint64) []byte { return strconv.AppendBool(dst, v != 0) }

// quoted makes a string of a number that is an identifier.
func quoted(f form) form {
	return func(d *Documents, dst []byte, v uint64) []byte {
		return append(f(d, append(dst, '"'), v), '"')
	}
}

// labelled returns the form of an enum. A value that this weir does not know is shown as its number.
func labelled(labels []string) form {
	return func(_ *Documents, dst []byte, v uint64) []byte {
		if v < uint64(len(labels)) {
			if labels[v] == "" {
				return dst
			}
			return appendString(dst, labels[v])
		}
		return append(strconv.AppendInt(append(dst, '"'), int64(v), 10), '"')
	}
}

func appendText(d *Documents, dst []byte, v uint64) []byte {
	if t := d.text(v); len(t) > 0 {
		return append(append(append(dst, '"'), t...), '"')
	}
	return dst
}

// appendBasename appends the last part of a path. A '/' is never escaped, and never part of an escape.
func appendBasename(d *Documents, dst []byte, v uint64) []byte {
	t := d.text(v)
	if t = t[bytes.LastIndexByte(t, '/')+1:]; len(t) == 0 {
		return dst
	}
	return append(append(append(dst, '"'), t...), '"')
}

// appendRaw appends the bytes of a text that is not UTF-8.
func appendRaw(d *Documents, dst []byte, v uint64) []byte {
	if b := d.bytes(v); !utf8.Valid(b) {
		return appendBase64(dst, b)
	}
	return dst
}

func appendArgumentsOf(d *Documents, dst []byte, v uint64) []byte {
	return appendArguments(dst, d.bytes(v))
}

func appendCommandLineOf(d *Documents, dst []byte, v uint64) []byte {
	return appendCommandLine(dst, d.bytes(v))
}

func appendAddressOf(d *Documents, dst []byte, v uint64) []byte {
	return appendAddress(dst, d.bytes(v))
}

func appendAddress(dst, b []byte) []byte {
	a, ok := netip.AddrFromSlice(b)
	if !ok {
		return dst
	}
	return append(a.Unmap().AppendTo(append(dst, '"')), '"')
}

func appendNetworkType(d *Documents, dst []byte, v uint64) []byte {
	switch a, _ := netip.AddrFromSlice(d.bytes(v)); {
	case !a.IsValid():
		return dst
	case a.Unmap().Is4():
		return append(dst, `"ipv4"`...)
	default:
		return append(dst, `"ipv6"`...)
	}
}

func appendBootTime(d *Documents, dst []byte, v uint64) []byte {
	return appendTime(dst, d.header.GetBootTimeUs()+int64(v))
}

func appendUnixTime(_ *Documents, dst []byte, v uint64) []byte { return appendTime(dst, int64(v)) }

// appendStart appends when something began that ended at the row's time.
func appendStart(d *Documents, dst []byte, v uint64) []byte {
	return appendTime(dst, d.time()-int64(v))
}

func appendDuration(_ *Documents, dst []byte, v uint64) []byte {
	const most = 1<<63 - 1 // Elasticsearch's long; 292 years
	if high, low := bits.Mul64(v, 1000); high == 0 && low <= most {
		return strconv.AppendUint(dst, low, 10)
	}
	return strconv.AppendUint(dst, most, 10)
}

// actorLifetime returns how long the actor of the row in hand had lived: µs.
func (d *Documents) actorLifetime() (us uint64, ok bool) {
	actor := d.entry[fromActor]
	if actor == 0 {
		return 0, false
	}
	b := d.batch.Proto()
	now := schema.At(b.GetCommon().GetTimeUs(), d.entry[fromCommon]-1)
	return uint64(max(0, now-schema.At(b.GetProcesses().GetStartUs(), actor-1))), true
}

func appendActorStart(d *Documents, dst []byte) []byte {
	if lifetime, ok := d.actorLifetime(); ok {
		return appendStart(d, dst, lifetime)
	}
	return dst
}

func appendActorLifetime(d *Documents, dst []byte) []byte {
	if lifetime, ok := d.actorLifetime(); ok {
		return appendDuration(d, dst, lifetime)
	}
	return dst
}

func appendErrno(_ *Documents, dst []byte, v uint64) []byte {
	if v < uint64(len(errnos)) && errnos[v] != "" {
		return appendString(dst, errnos[v])
	}
	return append(strconv.AppendUint(append(dst, '"'), v, 10), '"')
}

func appendFailure(_ *Documents, dst []byte, _ uint64) []byte { return append(dst, `"failure"`...) }

func appendUnknown(_ *Documents, dst []byte, _ uint64) []byte { return append(dst, `"unknown"`...) }

func appendSignal(_ *Documents, dst []byte, v uint64) []byte {
	const firstRealTime = 34 // glibc keeps 32 and 33
	switch {
	case v < uint64(len(signals)) && signals[v] != "":
		return appendString(dst, signals[v])
	case v == firstRealTime:
		return append(dst, `"SIGRTMIN"`...)
	case v > firstRealTime && v <= 64:
		return append(strconv.AppendUint(append(dst, `"SIGRTMIN+`...), v-firstRealTime, 10), '"')
	default:
		return append(strconv.AppendUint(append(dst, `"SIG`...), v, 10), '"')
	}
}

func appendCapabilities(_ *Documents, dst []byte, v uint64) []byte {
	if v == 0 {
		return append(dst, '[', ']')
	}
	separator := byte('[')
	for ; v != 0; v &= v - 1 {
		dst = appendCapability(nil, append(dst, separator), uint64(bits.TrailingZeros64(v)))
		separator = ','
	}
	return append(dst, ']')
}

func appendCapability(_ *Documents, dst []byte, v uint64) []byte {
	return append(append(append(dst, '"'), CapabilityName(v)...), '"')
}

func appendDictionaryID(d *Documents, dst []byte, v uint64) []byte { return appendHex(dst, d.bytes(v)) }

// appendKind appends a kind's name. The batch tells the name of a kind that this weir does not know.
func appendKind(d *Documents, dst []byte, v uint64) []byte {
	if k, ok := schema.KindByNumber(uint32(v)); ok {
		return appendString(dst, k.Name)
	}
	for _, g := range d.batch.Groups() {
		if uint64(g.GetNumber()) == v {
			return appendString(dst, g.GetKind())
		}
	}
	return dst
}

func appendThread(d *Documents, dst []byte, v uint64) []byte {
	actor := d.entry[fromActor]
	if actor == 0 {
		return dst
	}
	tgid := schema.At(d.batch.Proto().GetProcesses().GetTgid(), actor-1)
	return strconv.AppendInt(dst, int64(tgid)+int64(v), 10)
}

func appendDevice(_ *Documents, dst []byte, v uint64) []byte {
	dst = strconv.AppendUint(append(dst, '"'), v>>20, 10)
	return append(strconv.AppendUint(append(dst, ':'), v&(1<<20-1), 10), '"')
}

func appendMode(_ *Documents, dst []byte, v uint64) []byte {
	return append(dst, '"', '0'+byte(v>>9&7), '0'+byte(v>>6&7), '0'+byte(v>>3&7), '0'+byte(v&7), '"')
}

func appendTTYMajor(_ *Documents, dst []byte, v uint64) []byte {
	return strconv.AppendUint(dst, v>>20, 10)
}

func appendTTYMinor(_ *Documents, dst []byte, v uint64) []byte {
	return strconv.AppendUint(dst, v&(1<<20-1), 10)
}

// appendEntityID appends the identity of a process entry: weirv1.Table says how it is made.
func appendEntityID(d *Documents, dst []byte, entry int) []byte {
	p := d.batch.Proto().GetProcesses()
	var input [32]byte
	copy(input[:16], d.header.GetBootId())
	binary.BigEndian.PutUint32(input[16:], uint32(schema.At(p.GetTgid(), entry)))
	binary.BigEndian.PutUint64(input[20:], uint64(schema.At(p.GetStartUs(), entry)))
	binary.BigEndian.PutUint32(input[28:], schema.At(p.GetExecCount(), entry))
	sum := sha256.Sum256(input[:])
	return appendHex(dst, sum[:16])
}
