package ecs_test

// document is what a sink would declare if it encoded events with encoding/json: the yardstick of
// BenchmarkDocuments.
type document struct {
	Timestamp string            `json:"@timestamp"`
	Event     event             `json:"event"`
	Process   process           `json:"process"`
	Source    *endpoint         `json:"source,omitempty"`
	Dest      *endpoint         `json:"destination,omitempty"`
	Network   *network          `json:"network,omitempty"`
	Error     *code             `json:"error,omitempty"`
	ECS       version           `json:"ecs"`
	Agent     agent             `json:"agent"`
	Host      host              `json:"host"`
	User      user              `json:"user"`
	Related   related           `json:"related"`
	Container container         `json:"container"`
	Cloud     cloud             `json:"cloud"`
	Orchestr  orchestrator      `json:"orchestrator"`
	Labels    map[string]string `json:"labels,omitempty"`
	Service   service           `json:"service"`
	Weir      weir              `json:"weir"`
}

type event struct {
	Sequence int64    `json:"sequence,omitempty"`
	ID       string   `json:"id"`
	Module   string   `json:"module"`
	Created  string   `json:"created"`
	Kind     string   `json:"kind"`
	Category []string `json:"category"`
	Type     []string `json:"type"`
	Action   string   `json:"action"`
	Dataset  string   `json:"dataset"`
	Outcome  string   `json:"outcome,omitempty"`
	Start    string   `json:"start,omitempty"`
	Duration int64    `json:"duration,omitempty"`
}

type process struct {
	PID           int64    `json:"pid"`
	Start         string   `json:"start"`
	Name          string   `json:"name,omitempty"`
	Executable    string   `json:"executable,omitempty"`
	CommandLine   string   `json:"command_line,omitempty"`
	Args          []string `json:"args,omitempty"`
	ArgsCount     int64    `json:"args_count,omitempty"`
	ExitCode      *int64   `json:"exit_code,omitempty"`
	WorkingDir    string   `json:"working_directory,omitempty"`
	VPID          int64    `json:"vpid,omitempty"`
	TTY           *tty     `json:"tty,omitempty"`
	SessionLeader *process `json:"session_leader,omitempty"`
	EntityID      string   `json:"entity_id,omitempty"`
	Thread        *thread  `json:"thread,omitempty"`
	Parent        *process `json:"parent,omitempty"`
	RealUser      *id      `json:"real_user,omitempty"`
	RealGroup     *id      `json:"real_group,omitempty"`
}

type tty struct {
	CharDevice struct {
		Major int64 `json:"major"`
		Minor int64 `json:"minor"`
	} `json:"char_device"`
}

type thread struct {
	ID           int64  `json:"id,omitempty"`
	Name         string `json:"name,omitempty"`
	Capabilities *struct {
		Effective []string `json:"effective,omitempty"`
	} `json:"capabilities,omitempty"`
}

type id struct {
	ID string `json:"id"`
}

type code struct {
	Code string `json:"code"`
}

type version struct {
	Version string `json:"version"`
}

type endpoint struct {
	Address string `json:"address"`
	IP      string `json:"ip"`
	Port    int64  `json:"port"`
}

type network struct {
	Transport string `json:"transport"`
	Type      string `json:"type"`
	Direction string `json:"direction,omitempty"`
}

type agent struct {
	Type        string `json:"type"`
	EphemeralID string `json:"ephemeral_id"`
	Version     string `json:"version"`
}

type host struct {
	OS struct {
		Type     string `json:"type"`
		Kernel   string `json:"kernel"`
		Platform string `json:"platform"`
		Version  string `json:"version"`
		Full     string `json:"full"`
	} `json:"os"`
	ID           string   `json:"id"`
	Boot         id       `json:"boot"`
	Name         string   `json:"name"`
	Hostname     string   `json:"hostname"`
	IP           []string `json:"ip"`
	Architecture string   `json:"architecture"`
}

type user struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Group struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"group"`
}

type related struct {
	User  []string `json:"user,omitempty"`
	Hosts []string `json:"hosts,omitempty"`
	IP    []string `json:"ip,omitempty"`
}

type container struct {
	ID      string `json:"id"`
	Runtime string `json:"runtime"`
}

type cgroup struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Path    string `json:"path"`
	PathCut bool   `json:"path_cut"`
	Version int64  `json:"version"`
}

type cloud struct {
	Instance id     `json:"instance"`
	Account  id     `json:"account"`
	Provider string `json:"provider"`
	Region   string `json:"region"`
	Zone     string `json:"availability_zone"`
	Machine  struct {
		Type string `json:"type"`
	} `json:"machine"`
}

type orchestrator struct {
	Cluster struct {
		Name string `json:"name"`
	} `json:"cluster"`
	Type     string `json:"type,omitempty"`
	Resource *id    `json:"resource,omitempty"`
}

type service struct {
	Name        string `json:"name"`
	Environment string `json:"environment"`
	Version     string `json:"version"`
}

type weir struct {
	Kind       string                       `json:"kind"`
	CPU        int64                        `json:"cpu"`
	SelfTest   bool                         `json:"self_test,omitempty"`
	Process    *detail                      `json:"process,omitempty"`
	Raw        map[string]map[string]string `json:"raw,omitempty"`
	Cgroup     *cgroup                      `json:"cgroup,omitempty"`
	Container  map[string]string            `json:"container,omitempty"`
	Rung       string                       `json:"rung,omitempty"`
	Attachment id                           `json:"attachment"`
	Batch      map[string]int64             `json:"batch"`
	Host       map[string]string            `json:"host"`
	Instance   map[string]string            `json:"instance"`
	Deploy     map[string]string            `json:"deploy"`
	Joined     string                       `json:"joined"`
	Exec       *execution                   `json:"exec,omitempty"`
	Exit       *exit                        `json:"exit,omitempty"`
	Network    *connection                  `json:"network,omitempty"`
}

type detail struct {
	ExecCount     int64  `json:"exec_count"`
	ArgsCut       bool   `json:"args_cut,omitempty"`
	ExecutableCut bool   `json:"executable_cut,omitempty"`
	LoginUID      string `json:"login_uid,omitempty"`
	AuditSession  int64  `json:"audit_session,omitempty"`
	Knowledge     string `json:"knowledge,omitempty"`
	Namespace     *struct {
		PID     int64 `json:"pid"`
		Mount   int64 `json:"mount"`
		Network int64 `json:"network"`
		User    int64 `json:"user"`
	} `json:"namespace,omitempty"`
	Parent *detail `json:"parent,omitempty"`
}

type execution struct {
	ArgsBytes   int64  `json:"args_bytes"`
	Filename    string `json:"filename"`
	Interpreter string `json:"interpreter"`
	Device      string `json:"device"`
	Inode       string `json:"inode"`
	Mode        string `json:"mode"`
	Deleted     bool   `json:"deleted,omitempty"`
	Memfd       bool   `json:"memfd,omitempty"`
	Secure      bool   `json:"secure,omitempty"`
	Cut         bool   `json:"working_directory_cut,omitempty"`
}

type exit struct {
	Signal     string `json:"signal,omitempty"`
	CoreDumped bool   `json:"core_dumped,omitempty"`
}

type connection struct {
	ErrnoUnknown  bool   `json:"errno_unknown,omitempty"`
	Namespace     int64  `json:"namespace,omitempty"`
	Mapped        bool   `json:"ipv4_mapped,omitempty"`
	Socket        string `json:"socket,omitempty"`
	ActorIsCloser bool   `json:"actor_is_closer,omitempty"`
	Sent          *flow  `json:"sent,omitempty"`
	Received      *flow  `json:"received,omitempty"`
}

type flow struct {
	Bytes    int64 `json:"bytes"`
	Segments int64 `json:"segments"`
}
