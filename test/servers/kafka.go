package servers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

var apacheKafka = installation{
	name: "kafka-4.3.1",
	dependencies: []string{
		"org.apache.kafka:kafka_2.13:4.3.1",
		"org.apache.kafka:kafka-tools:4.3.1",
		"org.slf4j:slf4j-simple:1.7.36",
	},
}

// KafkaOptions says what cluster is wanted.
type KafkaOptions struct {
	Brokers int  // 1 where it is 0; of 3, two must have a record
	TLS     bool // brokers prove who they are, and ask clients for a certificate that need not come
	SASL    bool // PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512, for User with Password
}

// User and Password log in to clusters with SASL.
const User, Password = "weir", "weir-secret"

// Kafka is a cluster of Apache Kafka in KRaft mode, without creation of topics by accident.
type Kafka struct {
	// Addresses are those of the brokers.
	Addresses []string
	// TLS is set where it was asked for.
	TLS *Certificates

	t       T
	java    string
	lib     string
	brokers []*broker
}

// broker is one member, a controller as well.
type broker struct {
	config  string // path
	log     string
	running *process
}

// StartKafka starts a cluster and returns once each of its brokers serves.
func StartKafka(t T, o KafkaOptions) *Kafka {
	t.Helper()
	o.Brokers = max(o.Brokers, 1)
	k := &Kafka{t: t, java: newestJDK(t).java(), lib: filepath.Join(apacheKafka.install(t), "lib", "*")}
	if o.TLS {
		k.TLS = newCertificates(t)
	}
	ports := freePorts(t, 3*o.Brokers)
	for i := range o.Brokers {
		dir := t.TempDir()
		b := &broker{config: filepath.Join(dir, "server.properties"), log: filepath.Join(dir, "log")}
		if err := os.WriteFile(b.config, []byte(k.properties(o, i, ports, dir)), 0o644); err != nil {
			t.Fatalf("servers: %v", err)
		}
		k.format(b, o)
		k.brokers = append(k.brokers, b)
		k.Addresses = append(k.Addresses, local(ports[3*i]))
	}
	for i := range k.brokers {
		k.launch(i)
	}
	for i := range k.brokers {
		k.await(i, 1)
	}
	return k
}

// Kill ends broker i by SIGKILL.
func (k *Kafka) Kill(i int) { k.brokers[i].running.kill() }

// Restart starts broker i again, at the same address, and returns once it serves.
func (k *Kafka) Restart(i int) {
	k.t.Helper()
	started := k.brokers[i].running.says(kafkaStarted)
	k.launch(i)
	k.await(i, started+1)
}

const kafkaStarted = "Kafka Server started"

func (k *Kafka) launch(i int) {
	k.t.Helper()
	mustBeFree(k.t, k.Addresses[i])
	b := k.brokers[i]
	const level = "-Dorg.slf4j.simpleLogger."
	args := append(jvm("256m"), level+"defaultLogLevel=warn", level+"log.kafka.server.KafkaRaftServer=info", "-cp", k.lib, "kafka.Kafka", b.config)
	b.running = launch(k.t, fmt.Sprintf("kafka %d", i+1), b.log, exec.Command(k.java, args...))
}

func (k *Kafka) await(i, times int) {
	k.t.Helper()
	p := k.brokers[i].running
	p.await(func() bool { return p.says(kafkaStarted) >= times })
}

// format prepares a broker's directory.
func (k *Kafka) format(b *broker, o KafkaOptions) {
	k.t.Helper()
	args := append(jvm("128m"), "-cp", k.lib, "kafka.tools.StorageTool", "format", "-t", "d2VpcndlaXJ3ZWlyd2Vpcg", "-c", b.config)
	if o.SASL {
		for _, mechanism := range []string{"SCRAM-SHA-256", "SCRAM-SHA-512"} {
			args = append(args, "-S", fmt.Sprintf("%s=[name=%s,password=%s]", mechanism, User, Password))
		}
	}
	if out, err := exec.Command(k.java, args...).CombinedOutput(); err != nil {
		k.t.Fatalf("servers: format kafka: %v\n%s", err, out)
	}
}

// properties is the configuration of broker i, whose three ports are for clients, brokers, controllers.
func (k *Kafka) properties(o KafkaOptions, i int, ports []int, dir string) string {
	protocol := "PLAINTEXT"
	switch {
	case o.TLS && o.SASL:
		protocol = "SASL_SSL"
	case o.TLS:
		protocol = "SSL"
	case o.SASL:
		protocol = "SASL_PLAINTEXT"
	}
	var voters []string
	for n := range o.Brokers {
		voters = append(voters, fmt.Sprintf("%d@%s", n+1, local(ports[3*n+2])))
	}
	client, between, controller := local(ports[3*i]), local(ports[3*i+1]), local(ports[3*i+2])
	lines := []string{
		"process.roles=broker,controller",
		fmt.Sprintf("node.id=%d", i+1),
		"controller.quorum.voters=" + strings.Join(voters, ","),
		"controller.listener.names=CONTROLLER",
		"inter.broker.listener.name=INTERNAL",
		fmt.Sprintf("listeners=CLIENT://%s,INTERNAL://%s,CONTROLLER://%s", client, between, controller),
		fmt.Sprintf("advertised.listeners=CLIENT://%s,INTERNAL://%s", client, between),
		"listener.security.protocol.map=CONTROLLER:PLAINTEXT,INTERNAL:PLAINTEXT,CLIENT:" + protocol,
		"log.dirs=" + filepath.Join(dir, "data"),
		"auto.create.topics.enable=false",
		"offsets.topic.num.partitions=1",
		"transaction.state.log.num.partitions=1",
		fmt.Sprintf("offsets.topic.replication.factor=%d", o.Brokers),
		fmt.Sprintf("transaction.state.log.replication.factor=%d", o.Brokers),
		fmt.Sprintf("default.replication.factor=%d", o.Brokers),
		fmt.Sprintf("min.insync.replicas=%d", o.Brokers/2+1),
		fmt.Sprintf("transaction.state.log.min.isr=%d", o.Brokers/2+1),
		// What a cluster does in minutes is to happen while a test waits.
		"group.initial.rebalance.delay.ms=0",
		"broker.heartbeat.interval.ms=500",
		"broker.session.timeout.ms=3000",
		"log.initial.task.delay.ms=200",
		"log.retention.check.interval.ms=500",
		"log.segment.delete.delay.ms=200",
		"log.cleaner.backoff.ms=200",
		"log.cleaner.dedupe.buffer.size=4194304",
	}
	if o.TLS {
		lines = append(lines, k.TLS.properties()...)
	}
	if o.SASL {
		const login = "listener.name.client.%s.sasl.jaas.config=org.apache.kafka.common.security.%sLoginModule required"
		lines = append(lines,
			"sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
			fmt.Sprintf(login+" user_%s=%q;", "plain", "plain.Plain", User, Password),
			fmt.Sprintf(login+";", "scram-sha-256", "scram.Scram"),
			fmt.Sprintf(login+";", "scram-sha-512", "scram.Scram"),
		)
	}
	return strings.Join(lines, "\n") + "\n"
}
