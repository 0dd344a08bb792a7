package bpf

import "unsafe"

// execParts are the variable parts of an exec sample, in their order.
const (
	partArguments = iota
	partEnvironment
	partFilename
	partInterpreter
	partExecutable
	partWorkingDirectory
)

// Arguments returns the first 4 KiB of the arguments, each ended by a NUL byte; the last may be cut.
// ArgumentsBytes tells how many bytes there were. It points into the sample, as all that follow do.
func (s *ExecSample) Arguments() []byte { return s.part(partArguments) }

// Environment returns the first 4 KiB of the environment, where Settings want it: "NAME=value", each ended by a NUL
// byte; the last may be cut. EnvironmentBytes tells how many bytes there were.
func (s *ExecSample) Environment() []byte { return s.part(partEnvironment) }

// Filename returns the path that exec was given; of a script, the script.
func (s *ExecSample) Filename() []byte { return untilNUL(s.part(partFilename)) }

// Interpreter returns the interpreter's path as it was given; nothing where there is none.
func (s *ExecSample) Interpreter() []byte { return untilNUL(s.part(partInterpreter)) }

// Executable returns the path of the file that the process runs now.
func (s *ExecSample) Executable() Path {
	return Path{s.part(partExecutable), PathEnd(s.ExecutableEnd)}
}

// WorkingDirectory returns the path of the process's working directory.
func (s *ExecSample) WorkingDirectory() Path {
	return Path{s.part(partWorkingDirectory), PathEnd(s.WorkingDirectoryEnd)}
}

func (s *ExecSample) sizes() []int {
	return []int{
		partArguments:        int(s.ArgumentsSize),
		partEnvironment:      int(s.EnvironmentSize),
		partFilename:         int(s.FilenameSize),
		partInterpreter:      int(s.InterpreterSize),
		partExecutable:       int(s.ExecutableSize),
		partWorkingDirectory: int(s.WorkingDirectorySize),
	}
}

func (s *ExecSample) part(index int) []byte { return tailPart(s, s.Head.Size, s.sizes(), index) }

// The variable parts of a failed exec's sample, in their order.
const (
	failedArguments = iota
	failedFilename
	failedWorkingDirectory
)

// Arguments returns the first 64 of the arguments that exec was called with, up to 4 KiB, each ended by a NUL byte;
// ArgumentsCut tells where there was more. It points into the sample, as all that follow do.
func (s *ExecFailedSample) Arguments() []byte { return s.part(failedArguments) }

// Filename returns the path that exec was called with. Where it is relative, Directory says to what.
func (s *ExecFailedSample) Filename() []byte { return untilNUL(s.part(failedFilename)) }

// WorkingDirectory returns the path of the caller's working directory.
func (s *ExecFailedSample) WorkingDirectory() Path {
	return Path{s.part(failedWorkingDirectory), PathEnd(s.WorkingDirectoryEnd)}
}

func (s *ExecFailedSample) sizes() []int {
	return []int{
		failedArguments:        int(s.ArgumentsSize),
		failedFilename:         int(s.FilenameSize),
		failedWorkingDirectory: int(s.WorkingDirectorySize),
	}
}

func (s *ExecFailedSample) part(index int) []byte { return tailPart(s, s.Head.Size, s.sizes(), index) }

// tailPart returns a variable part of the sample that begins with s. Dispatch has checked that the sizes fill it exactly.
func tailPart[S any](s *S, size uint32, sizes []int, index int) []byte {
	from := int(unsafe.Sizeof(*s)) + sum(sizes[:index])
	to := from + sizes[index]
	return unsafe.Slice((*byte)(unsafe.Pointer(s)), size)[from:to:to]
}
