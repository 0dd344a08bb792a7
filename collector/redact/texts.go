package redact

import (
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxTexts bounds how many texts stand for one expression, maxText the length of each: with MaxRules they make at
// most 25,000 states.
const maxTexts, maxText = 64, 12

// requiredTexts returns texts, in small letters, of which every match of the expression contains one, whatever the
// case of its letters; none where there are no such texts that are worth looking for.
func requiredTexts(expression string) []string {
	re, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return nil
	}
	texts := required(re.Simplify())
	if shortest(texts) < 2 {
		return nil
	}
	return beginnings(texts)
}

// beginnings cuts the texts to what tells them from others.
func beginnings(texts []string) (cut []string) {
	for _, text := range texts {
		if text = text[:min(len(text), maxText)]; !slices.Contains(cut, text) {
			cut = append(cut, text)
		}
	}
	return cut
}

// required is requiredTexts of a part of an expression.
func required(re *syntax.Regexp) []string {
	if texts, ok := exact(re); ok {
		return texts
	}
	switch re.Op {
	case syntax.OpCapture, syntax.OpPlus:
		return required(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return required(re.Sub[0])
		}
	case syntax.OpConcat:
		return requiredOfConcat(re.Sub)
	case syntax.OpAlternate:
		return requiredOfAlternate(re.Sub)
	}
	return nil
}

// requiredOfConcat chooses the best of the runs of parts that are known exactly, and of the others by themselves.
func requiredOfConcat(parts []*syntax.Regexp) (best []string) {
	run := []string{""}
	for _, part := range parts {
		texts, ok := exact(part)
		if ok && len(run)*len(texts) <= maxTexts {
			run = product(run, texts)
			continue
		}
		best = better(best, run)
		run = []string{""}
		if ok {
			run = texts
		} else {
			best = better(best, required(part))
		}
	}
	return better(best, run)
}

func requiredOfAlternate(parts []*syntax.Regexp) (all []string) {
	for _, part := range parts {
		texts := required(part)
		if len(texts) == 0 || len(all)+len(texts) > maxTexts {
			return nil
		}
		all = append(all, texts...)
	}
	return all
}

// exact returns everything that the part matches, in small letters, where that is little.
func exact(re *syntax.Regexp) (texts []string, ok bool) {
	switch re.Op {
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText,
		syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return []string{""}, true
	case syntax.OpLiteral:
		return literal(re.Rune)
	case syntax.OpCharClass:
		return class(re.Rune)
	case syntax.OpCapture:
		return exact(re.Sub[0])
	case syntax.OpQuest:
		texts, ok = exact(re.Sub[0])
		return append(slices.Clone(texts), ""), ok
	case syntax.OpConcat:
		return exactConcat(re.Sub)
	case syntax.OpAlternate:
		return exactAlternate(re.Sub)
	}
	return nil, false
}

func exactConcat(parts []*syntax.Regexp) ([]string, bool) {
	all := []string{""}
	for _, part := range parts {
		texts, ok := exact(part)
		if !ok || len(all)*len(texts) > maxTexts {
			return nil, false
		}
		all = product(all, texts)
	}
	return all, true
}

func exactAlternate(parts []*syntax.Regexp) (all []string, ok bool) {
	for _, part := range parts {
		texts, ok := exact(part)
		if !ok || len(all)+len(texts) > maxTexts {
			return nil, false
		}
		all = append(all, texts...)
	}
	return all, true
}

// literal leaves the replacement character to the expression, which finds it in every byte that is no UTF-8. A letter
// beyond ASCII may have another case: that is left to it too.
func literal(runes []rune) ([]string, bool) {
	var b strings.Builder
	for _, r := range runes {
		if r == utf8.RuneError || r > unicode.MaxASCII && unicode.SimpleFold(r) != r {
			return nil, false
		}
		b.WriteRune(lower(r))
	}
	return []string{b.String()}, true
}

// class takes pairs of a first and a last character.
func class(ranges []rune) (texts []string, ok bool) {
	for i := 0; i < len(ranges); i += 2 {
		if ranges[i+1]-ranges[i] >= 16 {
			return nil, false
		}
		for r := ranges[i]; r <= ranges[i+1]; r++ {
			text, ok := literal([]rune{r})
			if !ok && r != foldedK && r != foldedS { // at these two every expression looks
				return nil, false
			}
			if ok && !slices.Contains(texts, text[0]) {
				texts = append(texts, text[0])
			}
		}
	}
	return texts, len(texts) > 0 && len(texts) <= 16
}

const (
	foldedK = '\u212a'
	foldedS = '\u017f'
)

func lower(r rune) rune {
	if 'A' <= r && r <= 'Z' {
		return r - 'A' + 'a'
	}
	return r
}

func product(heads, tails []string) (all []string) {
	for _, head := range heads {
		for _, tail := range tails {
			if text := head + tail; !slices.Contains(all, text) {
				all = append(all, text)
			}
		}
	}
	return all
}

// better returns the one of the two whose texts are found more rarely by chance.
func better(a, b []string) []string {
	if shortest(b) > shortest(a) {
		return b
	}
	return a
}

// shortest is the length of the shortest text; of none, 0.
func shortest(texts []string) int {
	if len(texts) == 0 {
		return 0
	}
	n := len(texts[0])
	for _, text := range texts {
		n = min(n, len(text))
	}
	return n
}
