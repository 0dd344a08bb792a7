package redact

import (
	"bytes"
	"iter"
	"strings"
)

// Programs whose options are secret under names that say nothing: where one is named as a word, the words behind it
// are looked at, once for each rule, so that a text of nothing but such names costs no more.

// loginCommands take USER:PASSWORD, or USER%PASSWORD.
var loginCommands = []string{"curl", "http", "xh", "wget", "lftp", "smbclient", "rpcclient"}

// option is a rule for the secret behind -letter, or behind -letter and a blank.
func option(letter byte, commands ...string) rule {
	return ofCommand("short_option", commands, func(p *pass, w word) {
		if value, ok := w.shortOption(letter); ok {
			p.addValue(w, value)
		}
	})
}

// attached is likewise, where after a blank it is none: mysql -p X names a database.
func attached(letter byte, commands ...string) rule {
	return ofCommand("short_option", commands, func(p *pass, w word) {
		if value, ok := w.shortOption(letter); ok && value < w.to {
			p.addValue(w, value)
		}
	})
}

// ofLogin is likewise, where one of the words behind the command is login: docker run -p names a port.
func ofLogin(letter byte, commands ...string) rule {
	r := option(letter, commands...)
	find := r.find
	r.find = func(p *pass, end int) (done bool) {
		if !p.isCommand(end, commands) {
			return false
		}
		for w := range p.wordsBehind(end) {
			if string(w.text) == "login" {
				return find(p, end)
			}
		}
		return true
	}
	return r
}

func login() rule {
	return ofCommand("login", loginCommands, func(p *pass, w word) {
		value, ok := w.login()
		if !ok {
			return
		}
		from, to := p.value(w, value)
		if i := bytes.IndexAny(p.text[from:to], ":%"); i >= 0 {
			p.add(from+i+1, to)
		}
	})
}

// ofCommand looks at each word behind one of the commands. A command's name may go on: mysql is mysqldump too.
func ofCommand(name string, commands []string, look func(*pass, word)) rule {
	return rule{name: name, texts: commands, find: func(p *pass, end int) (done bool) {
		if !p.isCommand(end, commands) {
			return false
		}
		for w := range p.wordsBehind(end) {
			look(p, w)
		}
		return true
	}}
}

// isCommand reports whether one of the commands, or a longer name that begins with it, is a word that ends at end or
// behind it.
func (p *pass) isCommand(end int, commands []string) bool {
	from, to := p.nameAround(end)
	if to < len(p.text) && p.text[to] != 0 && !isBlank(p.text[to]) {
		return false
	}
	for _, command := range commands {
		if from+len(command) == end && equalFold(p.text[from:end], command) {
			return true
		}
	}
	return false
}

// word is one of a command line: an argument, or a part of an argument that is a command line itself.
type word struct {
	text  []byte
	to    int  // where it ends in the pass's text
	parts bool // of an argument
}

// wordsBehind yields the arguments behind the one that ends at end; where that is only a part of an argument, the
// parts behind it.
func (p *pass) wordsBehind(end int) iter.Seq[word] {
	_, at := p.nameAround(end)
	parts := at < len(p.text) && p.text[at] != 0
	return func(yield func(word) bool) {
		for at < len(p.text) && (!parts || p.text[at] != 0) {
			from := at + 1
			if at = p.argumentEnd(from); parts {
				at = p.until(from, &blanks)
			}
			if !yield(word{p.text[from:at], at, parts}) {
				return
			}
		}
	}
}

// shortOption returns where the value of the option begins: behind the word if not in it.
func (w word) shortOption(letter byte) (value int, ok bool) {
	if len(w.text) < 2 || w.text[0] != '-' || w.text[1] != letter {
		return 0, false
	}
	return w.to - len(w.text) + 2, true
}

// flags are letters that curl takes before -u in one word.
const flags = "sSfkLvgiIGnNqORJj#046l"

func (w word) login() (value int, ok bool) {
	for _, long := range []string{"--user", "--proxy-user", "--auth"} {
		if rest, ok := bytes.CutPrefix(w.text, []byte(long)); ok && (len(rest) == 0 || rest[0] == '=') {
			return w.to - max(0, len(rest)-1), true
		}
	}
	if len(w.text) < 2 || w.text[0] != '-' {
		return 0, false
	}
	i := 1
	for i < len(w.text) && strings.IndexByte(flags, w.text[i]) >= 0 {
		i++
	}
	if i == len(w.text) || strings.IndexByte("uUa", w.text[i]) < 0 {
		return 0, false
	}
	return w.to - len(w.text) + i + 1, true
}

func (p *pass) addValue(w word, at int) {
	from, to := p.value(w, at)
	p.add(from, to)
}

// value returns the value that begins at at: the rest of the word, or where that is nothing the next word.
func (p *pass) value(w word, at int) (from, to int) {
	if at == w.to && at < len(p.text) {
		at++
	}
	if !w.parts {
		return at, p.argumentEnd(at)
	}
	at = p.skipBlanks(at)
	if at < len(p.text) && (p.text[at] == '"' || p.text[at] == '\'') {
		return at + 1, p.until(at+1, &lineStops)
	}
	return at, p.until(at, &shellStops)
}
