package testenv

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var slurmdbd = component{
	name: "Slurm's accounting", packages: []string{"slurmdbd", "slurm-client"},
	find: func() (string, bool) { return systemProgram("slurmdbd") },
}

var slurm = component{
	name: "Slurm", packages: []string{"slurm-wlm", "munge"},
	find: func() (string, bool) {
		for _, name := range []string{"munged", "slurmctld", "slurmd", "sbatch"} {
			if _, ok := systemProgram(name); !ok {
				return "", false
			}
		}
		return systemProgram("slurmctld")
	},
}

// systemProgram finds a program that may be off the path of who is not root.
func systemProgram(name string) (string, bool) {
	return onPath(name, "/usr/sbin/"+name, "/usr/local/sbin/"+name)()
}

// SlurmCluster is a Slurm of one node, with 64 processors and 64,000 MB that this machine need not have. A job that
// uses more memory than it was granted is killed within a second or two; without a limit of time it has none.
//
// Accounting is off, as it is after the installation of Debian's packages: a job can be asked for until MinJobAge
// seconds after its end, which is 300, and no longer.
type SlurmCluster struct {
	Dir  string // its files
	Conf string // its slurm.conf, by which the commands find it

	t        testing.TB
	settings []string

	mu         sync.Mutex
	accounts   *daemon // nil without accounting
	controller *daemon
	node       *daemon
}

// daemon is a process that runs in the foreground of nobody.
type daemon struct {
	cmd   *exec.Cmd
	ended chan struct{}
}

// Slurm starts a cluster; the settings are further lines of its slurm.conf, which override those before. It is gone at
// the end of the test, with the jobs that still run. Several can live side by side.
//
// The commands find it by the environment that Env gives.
func Slurm(t testing.TB, settings ...string) *SlurmCluster {
	t.Helper()
	external(t)
	need(t, slurm)
	return newSlurm(t, nil, settings)
}

// SlurmWithAccounts is Slurm with accounting: sacct knows jobs for good. It takes some seconds more, for a MariaDB.
func SlurmWithAccounts(t testing.TB, settings ...string) *SlurmCluster {
	t.Helper()
	external(t)
	need(t, slurm)
	need(t, slurmdbd)
	database := MariaDB(t)
	return newSlurm(t, &database, settings)
}

func newSlurm(t testing.TB, database *MariaDatabase, settings []string) *SlurmCluster {
	t.Helper()
	// The path of a UNIX socket is short, and that of t.TempDir is not.
	dir, err := os.MkdirTemp("", "orrery-slurm-")
	if err != nil {
		t.Fatal(err)
	}
	c := &SlurmCluster{Dir: dir, Conf: filepath.Join(dir, "slurm.conf"), t: t, settings: settings}
	stop, err := watchdog(c.endAll())
	if err != nil {
		_ = os.RemoveAll(dir)
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			for _, name := range []string{"slurmctld.log", "slurmd.log"} {
				text, _ := os.ReadFile(filepath.Join(dir, name))
				t.Logf("the end of %s:\n%s", name, lastLines(string(text), 40))
			}
		}
		if err := stop(); err != nil {
			t.Errorf("ending Slurm: %v", err)
		}
	})
	err = c.prepare()
	if err == nil && database != nil {
		err = c.startAccounts(*database)
	}
	if err == nil {
		err = c.start()
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const slurmMark = "ORRERY_TEST_SLURM"

// endAll is a script that ends the cluster. The daemons carry a mark; a job carries the environment of who submitted it,
// with the variables that Slurm adds.
func (c *SlurmCluster) endAll() string {
	having := func(assignment, in string) string {
		return "grep -lzxF -e " + quote(assignment) + " " + in + " 2>/dev/null"
	}
	kill := ` | while IFS=/ read -r _ _ pid _; do kill -9 "$pid" 2>/dev/null; done` + "\n"
	return having(slurmMark+"="+c.Dir, "/proc/[0-9]*/environ") + kill +
		having("SLURM_CONF="+c.Conf, "/proc/[0-9]*/environ") + " | xargs -r grep -lz '^SLURM_JOB_ID=' 2>/dev/null" + kill +
		"rm -rf " + quote(c.Dir) + "\n"
}

// prepare makes the cluster's files and starts munged, by which its programs know each other.
func (c *SlurmCluster) prepare() error {
	for _, sub := range []string{"state", "spool"} {
		if err := os.Mkdir(filepath.Join(c.Dir, sub), 0o755); err != nil {
			return err
		}
	}
	key := make([]byte, 128)
	if _, err := rand.Read(key); err != nil {
		return err
	}
	if err := errors.Join(
		os.Chmod(c.Dir, 0o755), // munged asks that nobody else can write there, and jobs must be able to read
		os.WriteFile(filepath.Join(c.Dir, "munge.key"), key, 0o400),
		os.WriteFile(filepath.Join(c.Dir, "cgroup.conf"), []byte("CgroupAutomount=no\n"), 0o644),
	); err != nil {
		return err
	}
	munged, _ := systemProgram("munged")
	in := func(name string) string { return filepath.Join(c.Dir, name) }
	// munged goes into the background by itself, once its socket can be used.
	cmd := exec.Command(munged, "--force", "--num-threads=4", "--key-file="+in("munge.key"), "--socket="+in("munge.socket"),
		"--pid-file="+in("munged.pid"), "--log-file="+in("munged.log"), "--seed-file="+in("munge.seed"))
	cmd.Env, cmd.SysProcAttr = c.daemonEnv(), &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Run(); err != nil {
		text, _ := os.ReadFile(in("munged.log"))
		return fmt.Errorf("munged: %w\n%s", err, lastLines(string(text), 20))
	}
	return nil
}

func (c *SlurmCluster) start() error {
	// Another process may take a port between our look and Slurm's: try again with others.
	for attempt := 1; ; attempt++ {
		err := c.configure()
		if err == nil {
			err = errors.Join(c.startController(), c.startNode())
		}
		if err == nil {
			err = c.waitReady()
		}
		if err == nil {
			return nil
		}
		_ = errors.Join(c.end(&c.controller, syscall.SIGKILL), c.end(&c.node, syscall.SIGKILL))
		var logs strings.Builder
		for _, name := range []string{"slurmctld.log", "slurmd.log"} {
			text, _ := os.ReadFile(filepath.Join(c.Dir, name))
			fmt.Fprintf(&logs, "%s:\n%s\n", name, lastLines(string(text), 20))
		}
		if attempt == 5 || !strings.Contains(logs.String(), "in use") {
			return fmt.Errorf("Slurm does not start: %w\n%s", err, logs.String())
		}
	}
}

func (c *SlurmCluster) configure() error {
	controller, err := freePort()
	if err != nil {
		return err
	}
	node, err := freePort()
	if err != nil {
		return err
	}
	account, err := user.Current()
	if err != nil {
		return err
	}
	lines := []string{
		"ClusterName=test",
		"SlurmctldHost=localhost(127.0.0.1)",
		fmt.Sprintf("SlurmctldPort=%d", controller),
		fmt.Sprintf("SlurmdPort=%d", node),
		"SlurmUser=" + account.Username,
		"SlurmdUser=" + account.Username,
		"AuthType=auth/munge",
		"CredType=cred/munge",
		"AuthInfo=socket=" + c.Dir + "/munge.socket",
		"StateSaveLocation=" + c.Dir + "/state",
		"SlurmdSpoolDir=" + c.Dir + "/spool",
		"SlurmctldPidFile=" + c.Dir + "/slurmctld.pid",
		"SlurmdPidFile=" + c.Dir + "/slurmd.pid",
		"SlurmctldLogFile=" + c.Dir + "/slurmctld.log",
		"SlurmdLogFile=" + c.Dir + "/slurmd.log",
		"ProctrackType=proctrack/linuxproc",
		"TaskPlugin=task/none",
		"SwitchType=switch/none",
		"MpiDefault=none",
		"MailProg=/bin/true",
		"SlurmdParameters=config_overrides", // the node is as large as we say
		"ReturnToService=2",
		"SelectType=select/cons_tres",
		"SelectTypeParameters=CR_CPU_Memory",
		"JobAcctGatherType=jobacct_gather/linux",
		"JobAcctGatherFrequency=task=1",
		"JobAcctGatherParams=OverMemoryKill",
		"AccountingStorageType=accounting_storage/none",
		"SchedulerType=sched/builtin",
		"SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=50000", // else jobs wait for 3 s
		"SlurmdTimeout=10",
		"SlurmctldTimeout=5",
		"MessageTimeout=3", // how long commands try to reach a controller that is down
		"BatchStartTimeout=10",
		"KillWait=1",
		"MinJobAge=300",
	}
	settings := slices.Concat(lines, c.settings)
	// Slurm refuses a setting that is there twice: the last one holds.
	seen := map[string]bool{}
	slices.Reverse(settings)
	settings = slices.DeleteFunc(settings, func(line string) bool {
		name, _, _ := strings.Cut(strings.ToLower(line), "=")
		defer func() { seen[name] = true }()
		return seen[name] && name != "nodename" && name != "partitionname"
	})
	slices.Reverse(settings)
	settings = append(settings,
		"NodeName=n1 NodeHostname=localhost NodeAddr=127.0.0.1 CPUs=64 RealMemory=64000",
		"PartitionName=main Nodes=n1 Default=YES MaxTime=INFINITE State=UP")
	return os.WriteFile(c.Conf, []byte(strings.Join(settings, "\n")+"\n"), 0o644)
}

// Env are the variables by which Slurm's commands find the cluster.
func (c *SlurmCluster) Env() []string { return []string{"SLURM_CONF=" + c.Conf} }

func (c *SlurmCluster) daemonEnv() []string {
	return append(append(os.Environ(), c.Env()...), slurmMark+"="+c.Dir)
}

// startAccounts starts slurmdbd and makes the cluster known to it.
func (c *SlurmCluster) startAccounts(database MariaDatabase) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	account, err := user.Current()
	if err != nil {
		return err
	}
	text := strings.Join([]string{
		"AuthType=auth/munge",
		"AuthInfo=socket=" + c.Dir + "/munge.socket",
		"DbdHost=localhost",
		"DbdAddr=127.0.0.1",
		fmt.Sprintf("DbdPort=%d", port),
		"SlurmUser=" + account.Username,
		"LogFile=" + c.Dir + "/slurmdbd.log",
		"PidFile=" + c.Dir + "/slurmdbd.pid",
		"StorageType=accounting_storage/mysql",
		"StorageHost=" + database.Host,
		fmt.Sprintf("StoragePort=%d", database.Port),
		"StorageUser=" + database.User,
		"StorageLoc=" + database.Name,
	}, "\n") + "\n"
	if err := os.WriteFile(filepath.Join(c.Dir, "slurmdbd.conf"), []byte(text), 0o600); err != nil {
		return err
	}
	c.settings = append(c.settings, "AccountingStorageType=accounting_storage/slurmdbd", "AccountingStorageHost=127.0.0.1",
		"AccountingStoragePass="+c.Dir+"/munge.socket", // for connections to slurmdbd it is this that counts
		fmt.Sprintf("AccountingStoragePort=%d", port))
	// sacctmgr reads slurm.conf.
	if err := errors.Join(c.configure(), c.begin(&c.accounts, "slurmdbd", "-D")); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.t.Context(), Patience)
	defer cancel()
	err = poll(ctx, c.accounts.ended, func() error {
		// sacctmgr itself would wait for long.
		connection, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return err
		}
		_ = connection.Close()
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		if output, err := c.command(ctx, "sacctmgr", "--immediate", "add", "cluster", "test").CombinedOutput(); err != nil {
			return fmt.Errorf("sacctmgr: %w\n%s", err, output)
		}
		return nil
	})
	if err != nil {
		text, _ := os.ReadFile(filepath.Join(c.Dir, "slurmdbd.log"))
		return fmt.Errorf("Slurm's accounting does not start: %w\n%s", err, lastLines(string(text), 20))
	}
	return nil
}

func (c *SlurmCluster) startController() error {
	return c.begin(&c.controller, "slurmctld", "-D", "-f", c.Conf)
}

func (c *SlurmCluster) startNode() error {
	return c.begin(&c.node, "slurmd", "-D", "-N", "n1", "-f", c.Conf)
}

func (c *SlurmCluster) begin(which **daemon, name string, args ...string) error {
	program, _ := systemProgram(name)
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = c.Dir, c.daemonEnv(), &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	d := &daemon{cmd: cmd, ended: make(chan struct{})}
	c.mu.Lock()
	*which = d
	c.mu.Unlock()
	go func() {
		_ = cmd.Wait() // what it has to say is in its log
		close(d.ended)
	}()
	return nil
}

// end ends a daemon and waits until it has.
func (c *SlurmCluster) end(which **daemon, signal syscall.Signal) error {
	c.mu.Lock()
	d := *which
	*which = nil
	c.mu.Unlock()
	if d == nil {
		return nil
	}
	if err := d.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-d.ended:
		return nil
	case <-time.After(Patience):
		return fmt.Errorf("%s does not end", d.cmd.Path)
	}
}

// waitReady waits until the controller answers and the node takes jobs.
func (c *SlurmCluster) waitReady() error {
	return c.waitNode("idle", "mixed", "allocated", "completing")
}

// waitAnswers waits until the controller answers.
func (c *SlurmCluster) waitAnswers() error { return c.waitNode() }

// waitNode waits until the controller says that the node is in one of the states; none are any.
func (c *SlurmCluster) waitNode(states ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	c.mu.Lock()
	controller, node := c.controller, c.node
	c.mu.Unlock()
	either := make(chan struct{})
	go func() {
		defer close(either)
		select {
		case <-controller.ended:
		case <-node.ended:
		case <-ctx.Done():
		}
	}()
	return poll(ctx, either, func() error {
		output, err := c.command(ctx, "sinfo", "--noheader", "--format=%T").CombinedOutput()
		if err != nil {
			return fmt.Errorf("sinfo: %w\n%s", err, output)
		}
		if state := strings.TrimSpace(string(output)); len(states) > 0 && !slices.Contains(states, state) {
			return fmt.Errorf("the node is %s", state)
		}
		return nil
	})
}

func (c *SlurmCluster) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env = c.Dir, append(os.Environ(), c.Env()...)
	return cmd
}

// Run runs one of Slurm's commands, such as sbatch or scontrol, and returns what it prints. Its failure ends the test.
func (c *SlurmCluster) Run(program string, args ...string) string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	cmd := c.command(ctx, program, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	if err != nil {
		c.t.Fatalf("%s %s: %v\n%s%s", program, strings.Join(args, " "), err, output, stderr.String())
	}
	return string(output)
}

// StopController ends slurmctld as systemd would, which keeps what it knows. Jobs go on running; every command fails.
func (c *SlurmCluster) StopController() { c.must(c.end(&c.controller, syscall.SIGTERM)) }

// KillController ends slurmctld at once: what it did not write down within the last seconds is lost.
func (c *SlurmCluster) KillController() { c.must(c.end(&c.controller, syscall.SIGKILL)) }

// StartController starts slurmctld again and waits until it answers. It gives jobs to the node some seconds later.
func (c *SlurmCluster) StartController() {
	c.t.Helper()
	c.must(c.startController())
	c.must(c.waitAnswers())
}

// PauseController makes slurmctld stand still: connections to it are accepted, and nothing is answered.
func (c *SlurmCluster) PauseController() { c.signal(syscall.SIGSTOP) }

// ResumeController lets a paused slurmctld go on, with all that it was asked meanwhile.
func (c *SlurmCluster) ResumeController() { c.signal(syscall.SIGCONT) }

func (c *SlurmCluster) signal(signal syscall.Signal) {
	c.t.Helper()
	c.mu.Lock()
	d := c.controller
	c.mu.Unlock()
	if d == nil {
		c.t.Fatal("slurmctld does not run")
	}
	c.must(d.cmd.Process.Signal(signal))
}

// ForgetJobs starts the controller again without a memory: it knows none of the jobs before.
func (c *SlurmCluster) ForgetJobs() {
	c.t.Helper()
	c.must(c.end(&c.controller, syscall.SIGKILL))
	c.must(c.begin(&c.controller, "slurmctld", "-D", "-c", "-f", c.Conf))
	c.must(c.waitAnswers())
}

// Set changes settings of slurm.conf, such as "MaxJobCount=5", and starts the controller again with them.
func (c *SlurmCluster) Set(settings ...string) {
	c.t.Helper()
	c.settings = append(c.settings, settings...)
	old, err := os.ReadFile(c.Conf)
	c.must(err)
	var ports []string // they stay
	for _, line := range strings.Split(string(old), "\n") {
		if strings.Contains(line, "Port=") {
			ports = append(ports, line)
		}
	}
	c.must(c.end(&c.controller, syscall.SIGTERM))
	c.settings = append(c.settings, ports...)
	c.must(c.configure())
	c.StartController()
}

// FailNode tells the controller that the node is down: its jobs end as NODE_FAIL. A moment later it returns to service.
func (c *SlurmCluster) FailNode() {
	c.t.Helper()
	c.Run("scontrol", "update", "NodeName=n1", "State=DOWN", "Reason=test")
}

func (c *SlurmCluster) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}
