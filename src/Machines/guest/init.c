/*
 * The first and only privileged process of a MeshLedger microVM. It runs one program as an unprivileged user, sends
 * what the program writes to the host through QEMU's debug console port, and ends the machine.
 *
 * It is freestanding: no libc, no allocation, no threads. The formats of /job and of the channel are described in
 * ../README.md; the host's side is GuestJob.cs and GuestRecordReader.cs.
 *
 * Build: sh src/Machines/guest/build.sh
 */
#include <asm/unistd.h>
#include <linux/fcntl.h>
#include <linux/openat2.h>
#include <linux/resource.h>
#include <linux/time.h>
#include <linux/wait.h>

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;

enum { CHANNEL_PORT = 0xe9, GUEST_UID = 1000, MAX_PROCESSES = 512, CHUNK = 65536, MAX_ARGUMENTS = 1024 };
enum { FRAME_HELLO = 1, FRAME_STDOUT = 2, FRAME_STDERR = 3, FRAME_FILE = 4, FRAME_FILE_BYTES = 5, FRAME_END = 6 };
enum { END_EXITED = 0, END_SIGNALLED = 1, END_NOT_STARTED = 2, END_BAD_JOB = 3 };

static long call6(long n, long a, long b, long c, long d, long e, long f)
{
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall" : "=a"(result) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

#define CALL(n, ...) CALL_(n, __VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define CALL_(n, a, b, c, d, e, f, ...) \
    call6(__NR_##n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

void *memset(void *to, int value, u64 count)
{
    void *start = to;
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(value) : "memory");
    return start;
}

void *memcpy(void *to, const void *from, u64 count)
{
    void *start = to;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
    return start;
}

/* ---- The channel: frames of kind (1 byte), length (4 bytes, little-endian), payload. ---- */

static void put(const void *bytes, u64 count)
{
    __asm__ volatile("rep outsb" : "+S"(bytes), "+c"(count) : "d"(CHANNEL_PORT) : "memory");
}

static void frame(u8 kind, const void *head, u32 head_length, const void *bytes, u32 length)
{
    u8 prefix[5] = { kind };
    u32 total = head_length + length;
    memcpy(prefix + 1, &total, 4);
    put(prefix, 5);
    put(head, head_length);
    put(bytes, length);
}

struct end_record
{
    u32 kind;            /* END_... */
    u32 code;            /* exit code, signal or errno */
    u32 oom_kills;       /* processes that the guest's kernel killed for want of memory */
    u32 reserved;
    u64 peak_bytes;      /* peak resident set of the largest process */
    u64 stdout_total;    /* bytes written, kept or not */
    u64 stderr_total;
};

static struct end_record end;

static void finish(void)
{
    struct __kernel_timespec grace = { 2, 0 };
    frame(FRAME_END, &end, sizeof end, 0, 0);
    /* The host reads QEMU's peak memory now and ends it. Should it not, the machine ends itself. */
    CALL(nanosleep, &grace, 0);
    CALL(reboot, 0xfee1dead, 672274793, 0x01234567, 0);
    for (;;)
        CALL(pause, 0);
}

static void give_up(u32 kind, u32 code)
{
    end.kind = kind;
    end.code = code;
    finish();
}

/* ---- The job: what to run, as the host wrote it into the initramfs. ---- */

static u8 *job, *job_end;

static u32 next_number(void)
{
    u32 value;
    if (job_end - job < 4)
        give_up(END_BAD_JOB, 1);
    memcpy(&value, job, 4);
    job += 4;
    return value;
}

/* Strings carry their length and a terminating zero, so that they can be used in place. */
static char *next_string(void)
{
    u32 length = next_number();
    char *text = (char *)job;
    if ((u64)(job_end - job) < (u64)length + 1 || job[length] != 0)
        give_up(END_BAD_JOB, 2);
    job += length + 1;
    return text;
}

static u32 next_strings(char **list)
{
    u32 count = next_number();
    if (count > MAX_ARGUMENTS)
        give_up(END_BAD_JOB, 3);
    for (u32 i = 0; i < count; i++)
        list[i] = next_string();
    list[count] = 0;
    return count;
}

static void read_job(void)
{
    struct { u64 dev, ino, nlink; u32 mode, uid, gid, pad; u64 rdev; long size, rest[20]; } facts;
    long fd = CALL(open, "/job", O_RDONLY, 0);
    if (fd < 0 || CALL(fstat, fd, &facts) < 0 || facts.size <= 0)
        give_up(END_BAD_JOB, 4);
    long address = CALL(mmap, 0, facts.size, 1 | 2, 2, fd, 0);
    if (address < 0 && address > -4096)
        give_up(END_BAD_JOB, 5);
    CALL(close, fd);
    job = (u8 *)address;
    job_end = job + facts.size;
}

/* ---- Running the program. ---- */

static char *arguments[MAX_ARGUMENTS + 1], *environment[MAX_ARGUMENTS + 1], *files[MAX_ARGUMENTS + 1];
static u8 buffer[CHUNK];

static void child(int in, int out, int err, int failure)
{
    struct rlimit64 limit = { MAX_PROCESSES, MAX_PROCESSES };
    struct rlimit64 none = { 0, 0 };
    u64 no_signals = 0;
    int zero = 0, one = 1, two = 2;
    long result;
    CALL(dup2, in, zero);
    CALL(dup2, out, one);
    CALL(dup2, err, two);
    CALL(rt_sigprocmask, 2, &no_signals, 0, 8);
    CALL(setsid, 0);
    CALL(ioperm, CHANNEL_PORT, 1, 0);
    CALL(prlimit64, 0, RLIMIT_NPROC, &limit, 0);
    CALL(prlimit64, 0, RLIMIT_CORE, &none, 0);
    if ((result = CALL(chroot, "/guest")) == 0 && (result = CALL(chdir, "/")) == 0
        && (result = CALL(setgroups, 0, 0)) == 0
        && (result = CALL(setresgid, GUEST_UID, GUEST_UID, GUEST_UID)) == 0
        && (result = CALL(setresuid, GUEST_UID, GUEST_UID, GUEST_UID)) == 0
        && (result = CALL(prctl, 38 /* PR_SET_NO_NEW_PRIVS */, 1, 0, 0, 0)) == 0)
        result = CALL(execve, "/program", arguments, environment);
    CALL(write, failure, &result, sizeof result);
    CALL(exit_group, 127);
}

struct output
{
    int fd, open;
    u8 kind;
    u64 kept, *total;
};

/* Moves what is in the pipe. Returns 0 when it is at its end, or empty. */
static int pump(struct output *output, u64 cap)
{
    long count = CALL(read, output->fd, buffer, CHUNK);
    if (count <= 0)
    {
        output->open = count != 0;
        return 0;
    }

    *output->total += count;
    /* One byte more than the cap goes through: it tells the host that there was more. */
    u64 room = cap + 1 - output->kept;
    u32 take = (u64)count < room ? (u64)count : room;
    if (take > 0)
    {
        frame(output->kind, 0, 0, buffer, take);
        output->kept += take;
    }

    return 1;
}

static void reap(long program, int *running)
{
    for (;;)
    {
        int status = 0;
        struct rusage usage;
        long pid = CALL(wait4, -1, &status, WNOHANG, &usage);
        if (pid <= 0)
            return;
        if ((u64)usage.ru_maxrss * 1024 > end.peak_bytes)
            end.peak_bytes = (u64)usage.ru_maxrss * 1024;
        if (pid == program)
        {
            u32 signal = status & 0x7f;
            *running = 0;
            end.kind = signal ? END_SIGNALLED : END_EXITED;
            end.code = signal ? signal : (status >> 8) & 0xff;
        }
    }
}

static u32 oom_kills(void)
{
    static const char name[] = "\noom_kill ";
    long fd = CALL(open, "/proc/vmstat", O_RDONLY, 0);
    long length = 0, count;
    while (length < CHUNK && (count = CALL(read, fd, buffer + length, CHUNK - length)) > 0)
        length += count;
    CALL(close, fd);
    for (long i = 0; i + (long)sizeof name < length; i++)
    {
        u32 same = 0, value = 0;
        while (same < sizeof name - 1 && buffer[i + same] == name[same])
            same++;
        if (same < sizeof name - 1)
            continue;
        for (long j = i + same; j < length && buffer[j] >= '0' && buffer[j] <= '9'; j++)
            value = value * 10 + (buffer[j] - '0');
        return value;
    }
    return 0;
}

static void collect(u32 index, char *path, u64 cap)
{
    struct open_how how = { .flags = O_RDONLY | O_NONBLOCK | O_NOCTTY,
                            .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV };
    struct { u64 dev, ino, nlink; u32 mode, uid, gid, pad; u64 rdev; long size, rest[20]; } facts;
    struct __attribute__((packed)) { u32 index, error; u64 size; } head = { index, 0, 0 };
    long root = CALL(open, "/guest", O_RDONLY | O_DIRECTORY, 0);
    while (*path == '/')
        path++;
    long fd = CALL(openat2, root, path, &how, sizeof how);
    CALL(close, root);
    if (fd >= 0 && CALL(fstat, fd, &facts) == 0 && (facts.mode & 0170000) == 0100000)
        head.size = facts.size;
    else
        head.error = fd < 0 ? -fd : 22 /* EINVAL: no regular file */;
    frame(FRAME_FILE, &head, sizeof head, 0, 0);
    if (head.error == 0)
    {
        u64 left = head.size < cap + 1 ? head.size : cap + 1;
        while (left > 0)
        {
            long count = CALL(read, fd, buffer, left < CHUNK ? left : CHUNK);
            if (count <= 0)
                break;
            frame(FRAME_FILE_BYTES, &index, 4, buffer, count);
            left -= count;
        }
    }
    if (fd >= 0)
        CALL(close, fd);
}

static void run(void)
{
    static const u8 hello[8] = { 'M', 'L', 'V', 'M', 1, 0, 0, 0 };
    int out[2], err[2], failure[2], running = 1;
    u64 children = 1ul << (17 - 1 /* SIGCHLD */);
    long result = 0;

    if (CALL(ioperm, CHANNEL_PORT, 1, 1) < 0)
        CALL(exit_group, 1);
    frame(FRAME_HELLO, hello, sizeof hello, 0, 0);

    read_job();
    u64 cap = next_number();
    cap |= (u64)next_number() << 32;
    u32 argument_count = next_strings(arguments);
    next_strings(environment);
    u32 file_count = next_strings(files);
    if (argument_count == 0)
        finish();

    CALL(mount, "proc", "/proc", "proc", 14, 0);
    CALL(mount, "proc", "/guest/proc", "proc", 14, "hidepid=2,subset=pid");
    long score = CALL(open, "/proc/self/oom_score_adj", O_WRONLY, 0);
    CALL(write, score, "-1000", 5);
    CALL(close, score);

    long in = CALL(open, "/stdin", O_RDONLY | O_CLOEXEC, 0);
    if (in < 0 || CALL(pipe2, out, O_CLOEXEC) < 0 || CALL(pipe2, err, O_CLOEXEC) < 0
        || CALL(pipe2, failure, O_CLOEXEC) < 0)
        give_up(END_BAD_JOB, 6);
    CALL(rt_sigprocmask, 0, &children, 0, 8);
    long arrivals = CALL(signalfd4, -1, &children, 8, O_CLOEXEC | O_NONBLOCK);

    long program = CALL(fork, 0);
    if (program < 0)
        give_up(END_NOT_STARTED, -program);
    if (program == 0)
    {
        /* The program is the first to go when memory ends; only init is exempt. */
        long mine = CALL(open, "/proc/self/oom_score_adj", O_WRONLY, 0);
        CALL(write, mine, "0", 1);
        CALL(close, mine);
        child(in, out[1], err[1], failure[1]);
    }
    CALL(close, in);
    CALL(close, out[1]);
    CALL(close, err[1]);
    CALL(close, failure[1]);
    CALL(fcntl, out[0], F_SETFL, O_NONBLOCK);
    CALL(fcntl, err[0], F_SETFL, O_NONBLOCK);
    if (CALL(read, failure[0], &result, sizeof result) == sizeof result)
        give_up(END_NOT_STARTED, -result);

    struct output outputs[2] = { { out[0], 1, FRAME_STDOUT, 0, &end.stdout_total },
                                 { err[0], 1, FRAME_STDERR, 0, &end.stderr_total } };
    while (running)
    {
        struct { int fd; short events, seen; } waits[3] = { { arrivals, 1, 0 },
                                                            { outputs[0].open ? outputs[0].fd : -1, 1, 0 },
                                                            { outputs[1].open ? outputs[1].fd : -1, 1, 0 } };
        CALL(poll, waits, 3, -1);
        for (int i = 0; i < 2; i++)
            if (waits[i + 1].seen)
                pump(&outputs[i], cap);
        if (waits[0].seen)
        {
            CALL(read, arrivals, buffer, 128);
            reap(program, &running);
        }
    }

    /* The job ends when its program does: what it started and left behind ends with it. */
    CALL(kill, -1, 9);
    while (CALL(wait4, -1, 0, 0, 0) > 0)
        ;
    for (int i = 0; i < 2; i++)
        while (outputs[i].open && pump(&outputs[i], cap))
            ;

    end.oom_kills = oom_kills();
    for (u32 i = 0; i < file_count; i++)
        collect(i, files[i], cap);
    finish();
}

__attribute__((naked, noreturn)) void _start(void)
{
    __asm__ volatile("xor %ebp, %ebp\n and $-16, %rsp\n call main");
}

__attribute__((used)) void main(void)
{
    run();
}
