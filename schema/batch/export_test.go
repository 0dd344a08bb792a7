package batch

import (
	"crypto/ed25519"

	"google.golang.org/protobuf/proto"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
)

// SealBytes seals raw as it is, for tests of what no Draft makes. rawSize and codec are what the record says.
func SealBytes(key ed25519.PrivateKey, body []byte, codec weirv1.Codec, rawSize int) []byte {
	record, _, err := sign(key, Hash{}, &weirv1.SealedBatch{Codec: codec, RawSize: uint32(rawSize), Batch: body})
	if err != nil {
		panic(err)
	}
	return record
}

// EncodeSequence and DecodeSequence are the column codec of Common.sequence.
func EncodeSequence(cpus []uint32, column []int64) { new(sequenceCoder).encode(cpus, column) }

func DecodeSequence(cpus []uint32, column []int64) error {
	return new(sequenceCoder).decode(cpus, column)
}

var (
	EncodeDelta = encodeDelta
	DecodeDelta = decodeDelta
)

// VerifyAndInflate is the least that a reader has to do.
func VerifyAndInflate(record []byte) error {
	var s weirv1.SealedBatch
	if err := proto.Unmarshal(record, &s); err != nil {
		return err
	}
	if _, err := verify(&s); err != nil {
		return err
	}
	_, err := inflate(&s)
	return err
}
