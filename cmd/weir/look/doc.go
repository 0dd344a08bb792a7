// Package look has the commands by which a person looks into the stream: hooks, tail, ledger. What they show
// is escaped, aligned, and plain text where it does not go to a terminal.
package look
