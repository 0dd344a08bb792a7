package executable

// Queue holds what waits to be read, in turns of the users who executed it: one who executes thousands of files
// delays his own. It is bounded as a whole and for each user. It is not safe for concurrent use.
type Queue[T any] struct {
	limit, share int
	waiting      map[uint32][]T // by owner
	turns        []uint32       // owners that have something waiting, the next one first
	size         int
}

// NewQueue returns an empty queue of at most limit, and at most share of one owner.
func NewQueue[T any](limit, share int) *Queue[T] {
	return &Queue[T]{limit: limit, share: share, waiting: make(map[uint32][]T)}
}

// Push adds to the end of the owner's, and reports whether there was room.
func (q *Queue[T]) Push(owner uint32, v T) bool {
	own := q.waiting[owner]
	if q.size >= q.limit || len(own) >= q.share {
		return false
	}
	if len(own) == 0 {
		q.turns = append(q.turns, owner)
	}
	q.waiting[owner] = append(own, v)
	q.size++
	return true
}

// Pop takes the first of the owner whose turn it is.
func (q *Queue[T]) Pop() (v T, ok bool) {
	if q.size == 0 {
		return v, false
	}
	owner := q.turns[0]
	q.turns = q.turns[1:]
	own := q.waiting[owner]
	v = own[0]
	if len(own) == 1 {
		delete(q.waiting, owner)
	} else {
		q.waiting[owner] = own[1:]
		q.turns = append(q.turns, owner)
	}
	q.size--
	return v, true
}
