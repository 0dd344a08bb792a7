//go:build ignore
// SPDX-License-Identifier: Apache-2.0
/* The workloads. Each tells on standard output how many operations it did, in how many ns, and what CPU time it and
 * its children took for that.
 *
 *   load exec SECONDS RATE JOBS PROGRAM MARK   vfork and exec of PROGRAM with MARK among its arguments, and wait
 *   load connect SECONDS RATE                  TCP connects over loopback in a network namespace of its own;
 *                                              the server accepts and closes; tells the server's port as well
 *   load getppid SECONDS
 *   load sleep PROCESSES                       so many processes, which share memory, until standard input ends
 *
 * RATE is operations a second over all JOBS; 0 is as many as there can be.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const long second = 1000000000;

static long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * second + t.tv_nsec;
}

static void sleep_until(long at)
{
	struct timespec t = {at / second, at % second};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, 0) == EINTR)
		;
}

static long cpu_of(int who)
{
	struct rusage u;

	getrusage(who, &u);
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * second + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000;
}

/* Says what was done since begin. Children have ended and were waited for. */
static void tell(long operations, long begin, int port)
{
	long took = now() - begin;

	printf("operations %ld ns %ld cpu %ld port %d\n", operations, took,
	       cpu_of(RUSAGE_SELF) + cpu_of(RUSAGE_CHILDREN), port);
	fflush(stdout);
}

struct pace {
	long begin, end, interval, done;
};

static struct pace pace_of(const char *seconds, double rate)
{
	struct pace p = {.begin = now(), .interval = rate > 0 ? second / rate : 0};

	p.end = p.begin + strtod(seconds, 0) * second;
	return p;
}

/* Reports whether another operation is due, when it is. */
static int next(struct pace *p)
{
	long at = p->interval ? p->begin + p->done * p->interval : now();

	if (at >= p->end || now() >= p->end)
		return 0;
	if (p->interval)
		sleep_until(at);
	p->done++;
	return 1;
}

static void run(const char *program, const char *mark)
{
	char *const args[] = {(char *)program, "--config", "/etc/service.yaml", (char *)mark, 0};
	char *const environment[] = {"PATH=/usr/bin:/bin", 0};
	pid_t pid = vfork();

	if (pid == 0) {
		execve(program, args, environment);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, 0, 0) != pid)
		err(1, "run %s", program);
}

static long run_all(const char *seconds, double rate, const char *program, const char *mark)
{
	struct pace p = pace_of(seconds, rate);

	while (next(&p))
		run(program, mark);
	return p.done;
}

static void load_exec(char **args)
{
	int jobs = atoi(args[2]);
	double rate = strtod(args[1], 0) / jobs;
	long *done = mmap(0, jobs * sizeof(long), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	long begin = now(), sum = 0;

	for (int i = 0; i < jobs; i++) {
		if (fork() == 0) {
			done[i] = run_all(args[0], rate, args[3], args[4]);
			_exit(0);
		}
	}
	while (wait(0) > 0)
		;
	for (int i = 0; i < jobs; i++)
		sum += done[i];
	tell(sum, begin, 0);
}

/* A network namespace of our own, with its loopback up: no port and no TIME_WAIT is shared with the machine. */
static void own_network(void)
{
	struct ifreq loopback = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int fd;

	if (unshare(CLONE_NEWNET))
		err(1, "network namespace");
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &loopback))
		err(1, "loopback");
	close(fd);
}

static void serve(int listener)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		int fd = accept(listener, 0, 0);

		if (fd < 0)
			err(1, "accept");
		close(fd);
	}
}

/* Destinations take turns in 127/8, so that no pair of addresses and ports comes again while it is in TIME_WAIT. */
static void connect_once(struct sockaddr_in to, long n)
{
	char byte;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (n & 0xffff));
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) || read(fd, &byte, 1) != 0)
		err(1, "connect");
	close(fd);
}

static void load_connect(char **args)
{
	struct sockaddr_in any = {.sin_family = AF_INET};
	socklen_t size = sizeof(any);
	struct pace p;
	int listener;
	pid_t server;

	own_network();
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 || bind(listener, (struct sockaddr *)&any, size) || listen(listener, 128) ||
	    getsockname(listener, (struct sockaddr *)&any, &size))
		err(1, "listen");
	server = fork();
	if (server == 0)
		serve(listener);
	close(listener);
	p = pace_of(args[0], strtod(args[1], 0));
	while (next(&p))
		connect_once(any, p.done);
	kill(server, SIGKILL);
	waitpid(server, 0, 0);
	tell(p.done, p.begin, ntohs(any.sin_port));
}

static void load_getppid(char **args)
{
	struct pace p = pace_of(args[0], 0);
	long done = 0;

	while (now() < p.end) {
		for (int i = 0; i < 10000; i++)
			syscall(SYS_getppid);
		done += 10000;
	}
	tell(done, p.begin, 0);
}

static int sleep_for_ever(void *unused)
{
	(void)unused;
	while (pause())
		;
	return 0;
}

/* Processes without memory of their own but for a page of stack. They end with our group. */
static void load_sleep(char **args)
{
	long page = sysconf(_SC_PAGESIZE), n = atol(args[0]);
	char *stacks = mmap(0, n * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char byte;

	setpgid(0, 0);
	for (long i = 0; i < n; i++) {
		if (clone(sleep_for_ever, stacks + (i + 1) * page, CLONE_VM | SIGCHLD, 0) < 0)
			err(1, "process %ld", i);
	}
	tell(n, now(), 0);
	while (read(0, &byte, 1) > 0)
		;
	kill(0, SIGKILL);
}

int main(int count, char **args)
{
	static const struct {
		const char *name;
		int arguments;
		void (*run)(char **);
	} loads[] = {{"exec", 5, load_exec},
		     {"connect", 2, load_connect},
		     {"getppid", 1, load_getppid},
		     {"sleep", 1, load_sleep}};

	for (unsigned i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
		if (count > 1 && !strcmp(args[1], loads[i].name) && count == loads[i].arguments + 2) {
			loads[i].run(args + 2);
			return 0;
		}
	}
	errx(2, "usage: see load.c");
}
