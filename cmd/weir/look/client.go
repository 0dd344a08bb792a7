package look

import (
	"context"
	"flag"
	"log/slog"
	"strings"

	"github.com/weirproject/weir/internal/config"
	"github.com/weirproject/weir/internal/kafka"
)

// clientFlags say which cluster a command looks into.
type clientFlags struct {
	brokers string
	config  string
}

// clientConfig is the part of the services' configuration files that a look needs.
type clientConfig struct {
	Kafka kafka.Config `yaml:"kafka"`
}

func (f *clientFlags) add(flags *flag.FlagSet) {
	flags.StringVar(&f.brokers, "brokers", "", "`ADDRESSES` of brokers, separated by commas (default 127.0.0.1:9092)")
	flags.StringVar(&f.config, "config", "", "read kafka (brokers, TLS, SASL) from this `FILE`, which holds nothing else")
}

// open returns a client once a broker answers. Brokers that are named win over the file's.
func (f *clientFlags) open(ctx context.Context, log *slog.Logger) (*kafka.Client, error) {
	cfg := clientConfig{Kafka: kafka.Default()}
	if f.config != "" {
		if err := config.Load(f.config, &cfg); err != nil {
			return nil, err
		}
	}
	if f.brokers != "" {
		cfg.Kafka.Brokers = strings.Split(f.brokers, ",")
	}
	c, err := kafka.Open(cfg.Kafka, log)
	if err != nil {
		return nil, err
	}
	return c, c.WaitReachable(ctx)
}
