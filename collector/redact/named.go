package redact

import "bytes"

// nameBytes bounds the names that are looked at: what is longer is none.
const nameBytes = 64

// secretNames say that a value is secret, as a part of a longer name too; shortNames where they are a whole part.
var (
	secretNames = []string{
		"password", "passwd", "passphrase", "passwort", "secret", "token", "credential", "privatekey", "apikey",
		"api_key", "api-key", "api.key", "access_key", "access-key", "accesskey", "private_key", "private-key",
		"signing_key", "signing-key", "encryption_key", "encryption-key", "account_key", "accountkey", "auth_key",
		"auth-key", "authkey", "mysql_pwd",
	}
	shortNames = []string{"pass", "pwd", "pw", "psk", "pat"}
)

// bareNames tell that the next argument is a secret without any dash: nmcli's and aws's.
var bareNames = []string{"wifi-sec.psk", "aws_secret_access_key", "aws_session_token"}

// nameTails may follow a secret name within a longer one; with others, such as -file, the value is none.
var nameTails = []string{"", "s", "_key", "-key", "_base", "_key_base", "key", "_value", "-value", "_b64", "_base64"}

func findNamed(p *pass, end int) { p.named(end, false) }

func findShortNamed(p *pass, end int) { p.named(end, true) }

// named finds the value of the name within which a secret one ends: --password X, --password=X, PGPASSWORD=X;
// password: X, "password":"X" or -password X within a longer argument.
func (p *pass) named(end int, short bool) {
	from, to := p.nameAround(end)
	name := p.text[from:to]
	if tail := p.text[end:to]; !isTail(tail) || short && (len(tail) > 0 || !p.isPart(from, end)) {
		return
	}
	dashed := len(name) > 0 && name[0] == '-'
	argument := from == 0 || p.text[from-1] == 0
	switch {
	case to == len(p.text):
	case argument && p.text[to] == '=' && (dashed || !isWorkingDirectory(name)) && !p.isScript(from):
		p.add(to+1, p.argumentEnd(to+1))
	case argument && p.text[to] == 0 && (dashed || isOneOf(name, bareNames)):
		p.add(to+1, p.argumentEnd(to+1))
	case dashed && isBlank(p.text[to]):
		p.addWord(p.skipBlanks(to))
	case !isWorkingDirectory(name):
		p.addAssigned(to)
	}
}

// nameAround returns the name of which a part ends at end.
func (p *pass) nameAround(end int) (from, to int) {
	from, to = end, end
	for from > max(0, end-nameBytes) && isNameByte(p.text[from-1]) {
		from--
	}
	for to < min(len(p.text), end+nameBytes) && isNameByte(p.text[to]) {
		to++
	}
	return from, to
}

// isPart reports whether the short name that ends at end is set off from what comes before it.
func (p *pass) isPart(from, end int) bool {
	for _, short := range shortNames {
		at := end - len(short)
		if at < from || !equalFold(p.text[at:end], short) {
			continue
		}
		if at == from || bytes.IndexByte([]byte("-_."), p.text[at-1]) >= 0 {
			return true
		}
	}
	return false
}

// isTail reports whether the name that goes on so still says that its value is secret.
func isTail(tail []byte) bool {
	for len(tail) > 0 && '0' <= tail[len(tail)-1] && tail[len(tail)-1] <= '9' {
		tail = tail[:len(tail)-1]
	}
	return isOneOf(tail, nameTails)
}

func isOneOf(name []byte, of []string) bool {
	for _, one := range of {
		if equalFold(name, one) {
			return true
		}
	}
	return false
}

// isWorkingDirectory tells the shell's PWD and OLDPWD from passwords.
func isWorkingDirectory(name []byte) bool { return string(name) == "PWD" || string(name) == "OLDPWD" }

// isScript reports whether the argument that begins at from is behind a shell's -c.
func (p *pass) isScript(from int) bool {
	before := p.text[:max(0, from-1)]
	before = before[bytes.LastIndexByte(before, 0)+1:]
	return len(before) >= 2 && before[0] == '-' && before[1] != '-' && before[len(before)-1] == 'c'
}

// addAssigned adds the value behind a name within a longer text, where a separator is between the two.
func (p *pass) addAssigned(at int) {
	if at < len(p.text) && (p.text[at] == '"' || p.text[at] == '\'') {
		at++
	}
	at = p.skipBlanks(at)
	separator := at
	for at < len(p.text) && at < separator+2 && bytes.IndexByte([]byte("=:>"), p.text[at]) >= 0 {
		at++
	}
	if at == separator || p.text[separator] == '>' {
		return
	}
	p.addWord(p.skipBlanks(at))
}

// addWord adds the word at at: up to its quote if it has one, else up to what separates words. One that a shell would
// run is no secret, or "token=$(COMMAND)" would hide a command.
func (p *pass) addWord(at int) {
	if at >= len(p.text) {
		return
	}
	to := p.until(at, &wordStops)
	quote := p.text[at]
	if quote == '"' || quote == '\'' {
		at++
		to = at + max(0, bytes.IndexAny(p.text[at:], string(quote)+"\x00"))
	}
	if quote != '\'' && runs(p.text[at:to]) {
		return
	}
	p.add(at, to)
}

func runs(word []byte) bool {
	return bytes.Contains(word, []byte("$(")) || bytes.IndexByte(word, '`') >= 0
}

func (p *pass) argumentEnd(at int) int {
	if at > len(p.text) {
		return at
	}
	if n := bytes.IndexByte(p.text[at:], 0); n >= 0 {
		return at + n
	}
	return len(p.text)
}

// set holds bytes.
type set [256]bool

func setOf(bytes string) (s set) {
	for i := range len(bytes) {
		s[bytes[i]] = true
	}
	return s
}

var (
	wordStops  = setOf(" \t\r\n&;,|\"')}]\x00")
	shellStops = setOf(" \t\r\n;|&)\x00")
	lineStops  = setOf("\"'\r\n\x00")
	urlStops   = setOf("/?# \t\r\n\"'\x00")
	blanks     = setOf(" \t\r\n\x00")
)

// until returns the place of the first of the bytes at or after at.
func (p *pass) until(at int, stops *set) int {
	for at < len(p.text) && !stops[p.text[at]] {
		at++
	}
	return at
}

func (p *pass) skipBlanks(at int) int {
	for at < len(p.text) && isBlank(p.text[at]) {
		at++
	}
	return at
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func isWordByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_'
}

func isNameByte(c byte) bool { return isWordByte(c) || c == '-' || c == '.' }

// equalFold takes letters without regard to case; small is in small ones.
func equalFold(b []byte, small string) bool {
	if len(b) != len(small) {
		return false
	}
	for i := range b {
		if byte(lower(rune(b[i]))) != small[i] {
			return false
		}
	}
	return true
}
