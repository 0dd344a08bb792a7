package batch

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"google.golang.org/protobuf/proto"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
)

// Hash is the chain hash of a batch. The zero Hash stands before a run's first batch.
type Hash [sha256.Size]byte

func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// bytes returns the hash as it stands in a SealedBatch: nothing before a run's first batch.
func (h Hash) bytes() []byte {
	if h == (Hash{}) {
		return nil
	}
	return h[:]
}

// Chain is where a run's batches stand: what number the next one gets, and which hash it names as that of the
// one before. It is not safe for concurrent use.
type Chain struct {
	key      ed25519.PrivateKey
	run      schema.RunID
	last     uint64 // number of the last batch, 0 before the first
	previous Hash
}

// NewChain begins the chain of a run that has no batch yet.
func NewChain(key ed25519.PrivateKey, run schema.RunID) *Chain {
	return &Chain{key: key, run: run}
}

// NewChainAt is NewChain of a run whose numbers are given from outside, such as by the offset of the record that
// a batch is about: the next batch gets number next, and follows no other.
func NewChainAt(key ed25519.PrivateKey, run schema.RunID, next uint64) *Chain {
	return &Chain{key: key, run: run, last: next - 1}
}

// Run returns the run whose chain it is.
func (c *Chain) Run() schema.RunID { return c.run }

// Next returns the number of the next batch; the first is 1.
func (c *Chain) Next() uint64 { return c.last + 1 }

// Previous returns the chain hash of the last batch.
func (c *Chain) Previous() Hash { return c.previous }

// chainHash is what a batch is signed over, and what the batch that follows names as previous_hash.
func chainHash(s *weirv1.SealedBatch) Hash {
	h := sha256.New()
	h.Write([]byte("weir batch v1\x00"))
	var previous Hash
	copy(previous[:], s.GetPreviousHash())
	h.Write(previous[:])
	var numbers [8]byte
	binary.BigEndian.PutUint32(numbers[:4], uint32(s.GetCodec()))
	binary.BigEndian.PutUint32(numbers[4:], s.GetRawSize())
	h.Write(numbers[:])
	body := sha256.Sum256(s.GetBatch())
	h.Write(body[:])
	return Hash(h.Sum(nil))
}

// sign completes s with its place in the chain and its signature, and returns the record and its chain hash.
func sign(key ed25519.PrivateKey, previous Hash, s *weirv1.SealedBatch) ([]byte, Hash, error) {
	s.PreviousHash = previous.bytes()
	s.PublicKey = key.Public().(ed25519.PublicKey)
	hash := chainHash(s)
	s.Signature = ed25519.Sign(key, hash[:])
	record, err := proto.Marshal(s)
	return record, hash, err
}
