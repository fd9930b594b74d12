// SPDX-License-Identifier: Apache-2.0
// THE GYM / preload: a disk and a clock that fail on demand, under the real program. In: LD_PRELOAD, the environment variables
// GOLEM_FAULT_ROOT (the only directory that is touched), GOLEM_FAULT_CONTROL (a file of WORDS numbers, see `enum word`) and
// GOLEM_FAULT_JOURNAL (absent: nothing is recorded). Out: a record of every change below the root, in order, and faults.
// Never touches anything outside of the root but the clock. Read next: ../src/preload.rs (who fills the control file),
// ../src/disk.rs (who reads the journal). Source: reliability spec F3, F4, F6, F7.
//
// Some of the program's libraries make system calls without libc, so wrapping libc's functions would miss renames. A seccomp
// filter turns every system call that changes a file into SIGSYS instead, except where this file makes it; the handler makes
// the call, records it, or refuses it. Linux on x86-64 and arm64. A child process of the program would not survive its
// first write: the program under test has none.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

// The numbers of the control file, each eight bytes. Zero means no fault.
enum word {
    SYNC_FAIL_AT,  // number of the sync, from 1, that fails with EIO; every sync after it succeeds, as on a real disk
    SPACE_BYTES,   // bytes that may be written in all; then ENOSPC
    SHORT_EVERY,   // every so many writes write only a part
    DELAY_MICROS,  // added to every sync
    STALL_MICROS,  // added to the next sync, once
    CLOCK_OFFSET,  // nanoseconds added to the wall clock, signed
    CLOCK_PPM,     // millionths by which the wall clock is too fast since CLOCK_BASE, signed
    CLOCK_BASE,    // nanoseconds since 1970
    WRITE_FAIL_AT, // number of the write, from 1, that fails with ENOSPC although there is space again at once
    SYNCS,         // out: syncs so far
    BYTES,         // out: bytes written so far
    WRITES,        // out: writes so far
    FAULTS,        // out: faults so far, without delays
    WORDS
};

enum kind { CREATE = 1, OPEN, TRUNCATE, WRITE, RENAME, UNLINK, RMDIR, MKDIR, LINK, SYNC_BEGIN, SYNC_END, UNKNOWN };

struct record {
    uint32_t magic, kind;
    uint64_t inode, at, path_bytes, path2_bytes, data_bytes;
};
#define MAGIC 0x4a464c47u

// Makes a system call. The filter knows it by the address behind its instruction.
long raw(long number, long a, long b, long c, long d, long e, long f) __attribute__((visibility("hidden")));
extern const char raw_after[] __attribute__((visibility("hidden")));
#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
__asm__(".text\n.hidden raw\n.hidden raw_after\n.globl raw\n.globl raw_after\nraw:\n"
        "mov %rdi,%rax\nmov %rsi,%rdi\nmov %rdx,%rsi\nmov %rcx,%rdx\nmov %r8,%r10\nmov %r9,%r8\nmov 8(%rsp),%r9\n"
        "syscall\nraw_after:\nret\n");
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
__asm__(".text\n.hidden raw\n.hidden raw_after\n.globl raw\n.globl raw_after\nraw:\n"
        "mov x8,x0\nmov x0,x1\nmov x1,x2\nmov x2,x3\nmov x3,x4\nmov x4,x5\nmov x5,x6\n"
        "svc 0\nraw_after:\nret\n");
#else
#error "only x86-64 and arm64"
#endif
#define SYS(number, ...) SYS_(number, __VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define SYS_(number, a, b, c, d, e, f, ...) \
    raw(number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

#define FDS 65536
#define PATHS 4096

static volatile uint64_t *control;
static char root[PATHS];
static size_t root_bytes;
static dev_t root_device;
static int journal = -1;
static unsigned char tracked[FDS];
static volatile char locked;
static uint64_t sync_ids;

static void lock(void) {
    while (__atomic_test_and_set(&locked, __ATOMIC_ACQUIRE)) SYS(SYS_sched_yield, 0);
}
static void unlock(void) { __atomic_clear(&locked, __ATOMIC_RELEASE); }
static uint64_t get(enum word word) { return __atomic_load_n(&control[word], __ATOMIC_RELAXED); }
static uint64_t count(enum word word, uint64_t n) { return __atomic_add_fetch(&control[word], n, __ATOMIC_RELAXED); }

static void pause_micros(uint64_t micros) {
    struct timespec left = {(time_t)(micros / 1000000), (long)(micros % 1000000) * 1000};
    while (SYS(SYS_nanosleep, &left, &left) == -EINTR) {}
}

static void record(enum kind kind, uint64_t inode, uint64_t at, const char *path, const char *path2,
                   const struct iovec *data, int parts, uint64_t data_bytes) {
    if (journal < 0) return;
    struct record head = {MAGIC, kind, inode, at, path ? strlen(path) : 0, path2 ? strlen(path2) : 0, data_bytes};
    struct iovec all[3] = {{&head, sizeof head}, {(void *)path, head.path_bytes}, {(void *)path2, head.path2_bytes}};
    SYS(SYS_writev, journal, all, 3);
    for (int part = 0; part < parts && data_bytes > 0; part++) {
        uint64_t bytes = data[part].iov_len < data_bytes ? data[part].iov_len : data_bytes;
        for (uint64_t done = 0; done < bytes;) {
            long written = SYS(SYS_write, journal, (char *)data[part].iov_base + done, bytes - done);
            // A journal that cannot be written proves nothing: end loudly.
            if (written <= 0) __builtin_trap();
            done += (uint64_t)written;
        }
        data_bytes -= bytes;
    }
}

// The absolute path of `path` below `base`; in `into` when it has to be put together.
static const char *absolute(int base, const char *path, char *into) {
    if (path[0] == '/') return path;
    long length;
    if (base == AT_FDCWD) {
        length = SYS(SYS_getcwd, into, PATHS) - 1;
    } else {
        char name[40] = "/proc/self/fd/";
        char digits[12];
        int at = 14, n = 0;
        do digits[n++] = (char)('0' + base % 10); while ((base /= 10) > 0);
        while (n > 0) name[at++] = digits[--n];
        name[at] = 0;
        length = SYS(SYS_readlinkat, AT_FDCWD, name, into, PATHS - 1);
    }
    if (length < 0) return "";
    into[length] = 0;
    if (path[0] != 0 && (size_t)length + strlen(path) + 2 < PATHS) {
        into[length] = '/';
        strcpy(into + length + 1, path);
    }
    return into;
}

static int below(const char *path) {
    return strncmp(path, root, root_bytes) == 0 && (path[root_bytes] == '/' || path[root_bytes] == 0);
}

// What is open as `fd`, if it is a file or directory below the root.
static int known(int fd, struct stat *found) {
    return fd >= 0 && fd < FDS && tracked[fd] && SYS(SYS_fstat, fd, found) == 0 && found->st_dev == root_device &&
           (S_ISREG(found->st_mode) || S_ISDIR(found->st_mode));
}

static char first[PATHS], second[PATHS];

static int full(void) {
    uint64_t space = get(SPACE_BYTES);
    if (space == 0 || get(BYTES) < space) return 0;
    count(FAULTS, 1);
    return 1;
}

static long do_open(int base, const char *path, long flags, long mode) {
    lock();
    const char *name = absolute(base, path, first);
    int ours = below(name);
    struct stat found;
    int was = ours && SYS(SYS_newfstatat, base, path, &found, 0) == 0;
    long fd = ours && !was && (flags & O_CREAT) && full() ? -ENOSPC : SYS(SYS_openat, base, path, flags, mode);
    if (fd >= 0 && fd < FDS) {
        tracked[fd] = (unsigned char)ours;
        if (ours && SYS(SYS_fstat, fd, &found) == 0 && S_ISREG(found.st_mode)) {
            record(was ? OPEN : CREATE, found.st_ino, 0, name, NULL, NULL, 0, 0);
            if (was && (flags & O_TRUNC)) record(TRUNCATE, found.st_ino, 0, NULL, NULL, NULL, 0, 0);
        }
    }
    unlock();
    return fd;
}

static long do_write(long number, long *a) {
    int fd = (int)a[0];
    struct stat found;
    if (!known(fd, &found)) return raw(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    int vector = number == SYS_writev || number == SYS_pwritev || number == SYS_pwritev2;
    int placed = number == SYS_pwrite64 || number == SYS_pwritev || number == SYS_pwritev2;
    struct iovec one = {(void *)a[1], (size_t)a[2]};
    const struct iovec *parts = vector ? (const struct iovec *)a[1] : &one;
    int many = vector ? (int)a[2] : 1;
    uint64_t bytes = 0;
    for (int part = 0; part < many; part++) bytes += parts[part].iov_len;
    lock();
    uint64_t write = count(WRITES, 1), allowed = bytes, every = get(SHORT_EVERY), space = get(SPACE_BYTES);
    long refused = 0;
    if (write == get(WRITE_FAIL_AT)) refused = -ENOSPC;
    if (every > 0 && write % every == 0) allowed = (bytes + 1) / 2;
    if (space > 0 && get(BYTES) + allowed > space) {
        allowed = space > get(BYTES) ? space - get(BYTES) : 0;
        if (allowed == 0 && bytes > 0) refused = -ENOSPC;
    }
    if (refused != 0 || allowed < bytes) count(FAULTS, 1);
    long result = refused;
    if (refused == 0) {
        SYS(SYS_fstat, fd, &found);
        uint64_t at = placed ? (uint64_t)a[3] : (uint64_t)SYS(SYS_lseek, fd, 0, SEEK_CUR);
        if (!placed && (SYS(SYS_fcntl, fd, F_GETFL) & O_APPEND)) at = (uint64_t)found.st_size;
        if (allowed == bytes) {
            result = raw(number, a[0], a[1], a[2], a[3], a[4], a[5]);
        } else {
            // The first part as far as it may go: a short write may be shorter than what is allowed.
            uint64_t length = parts[0].iov_len < allowed ? parts[0].iov_len : allowed;
            result = placed ? SYS(SYS_pwrite64, fd, parts[0].iov_base, length, at)
                            : SYS(SYS_write, fd, parts[0].iov_base, length);
        }
        if (result > 0) {
            count(BYTES, (uint64_t)result);
            record(WRITE, found.st_ino, at, NULL, NULL, parts, many, (uint64_t)result);
        }
    }
    unlock();
    return result;
}

static long do_truncate(int fd, long length) {
    struct stat found;
    int ours = known(fd, &found);
    lock();
    long result = SYS(SYS_ftruncate, fd, length);
    if (ours && result == 0) record(TRUNCATE, found.st_ino, (uint64_t)length, NULL, NULL, NULL, 0, 0);
    unlock();
    return result;
}

static long do_sync(long number, int fd) {
    struct stat found;
    if (!known(fd, &found)) return SYS(number, fd);
    lock();
    uint64_t id = ++sync_ids, sync = count(SYNCS, 1);
    record(SYNC_BEGIN, found.st_ino, id, absolute(fd, "", first), NULL, NULL, 0, 0);
    uint64_t delay = get(DELAY_MICROS) + get(STALL_MICROS);
    __atomic_store_n(&control[STALL_MICROS], 0, __ATOMIC_RELAXED);
    unlock();
    if (delay > 0) pause_micros(delay);
    if (sync == get(SYNC_FAIL_AT)) {
        count(FAULTS, 1);
        return -EIO;
    }
    long result = SYS(number, fd);
    lock();
    if (result == 0) record(SYNC_END, found.st_ino, id, NULL, NULL, NULL, 0, 0);
    unlock();
    return result;
}

// Changes of one name.
static long do_name(enum kind kind, int base, const char *path, long number, long *a) {
    lock();
    const char *name = absolute(base, path, first);
    int ours = below(name);
    long result = ours && kind == MKDIR && full() ? -ENOSPC : raw(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    if (ours && result == 0) record(kind, 0, 0, name, NULL, NULL, 0, 0);
    unlock();
    return result;
}

// Changes of two names.
static long do_names(enum kind kind, int base, const char *path, int base2, const char *path2, long number, long *a) {
    lock();
    const char *from = absolute(base, path, first), *to = absolute(base2, path2, second);
    long result = raw(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    if ((below(from) || below(to)) && result == 0) record(kind, 0, 0, from, to, NULL, 0, 0);
    unlock();
    return result;
}

static long do_space(long number, long *a) {
    struct statfs *space = (struct statfs *)a[1];
    long result = raw(number, a[0], a[1], 0, 0, 0, 0);
    uint64_t limit = get(SPACE_BYTES), used = get(BYTES);
    if (result == 0 && limit > 0) space->f_bavail = space->f_bfree = limit > used ? (limit - used) / (uint64_t)space->f_bsize : 0;
    return result;
}

static long dispatch(long number, long *a) {
    struct stat found;
    switch (number) {
#ifdef SYS_open
    case SYS_open: return do_open(AT_FDCWD, (const char *)a[0], a[1], a[2]);
    case SYS_creat: return do_open(AT_FDCWD, (const char *)a[0], O_CREAT | O_WRONLY | O_TRUNC, a[1]);
    case SYS_rename: return do_names(RENAME, AT_FDCWD, (char *)a[0], AT_FDCWD, (char *)a[1], number, a);
    case SYS_link: return do_names(LINK, AT_FDCWD, (char *)a[0], AT_FDCWD, (char *)a[1], number, a);
    case SYS_unlink: return do_name(UNLINK, AT_FDCWD, (char *)a[0], number, a);
    case SYS_rmdir: return do_name(RMDIR, AT_FDCWD, (char *)a[0], number, a);
    case SYS_mkdir: return do_name(MKDIR, AT_FDCWD, (char *)a[0], number, a);
    case SYS_symlink: return do_name(UNKNOWN, AT_FDCWD, (char *)a[1], number, a);
#endif
    case SYS_openat: return do_open((int)a[0], (const char *)a[1], a[2], a[3]);
    case SYS_renameat:
    case SYS_renameat2: return do_names(RENAME, (int)a[0], (char *)a[1], (int)a[2], (char *)a[3], number, a);
    case SYS_linkat: return do_names(LINK, (int)a[0], (char *)a[1], (int)a[2], (char *)a[3], number, a);
    case SYS_unlinkat: return do_name(a[2] & AT_REMOVEDIR ? RMDIR : UNLINK, (int)a[0], (char *)a[1], number, a);
    case SYS_mkdirat: return do_name(MKDIR, (int)a[0], (char *)a[1], number, a);
    case SYS_symlinkat: return do_name(UNKNOWN, (int)a[1], (char *)a[2], number, a);
    case SYS_truncate: return do_name(UNKNOWN, AT_FDCWD, (char *)a[0], number, a);
    case SYS_write:
    case SYS_writev:
    case SYS_pwrite64:
    case SYS_pwritev:
    case SYS_pwritev2: return do_write(number, a);
    case SYS_ftruncate: return do_truncate((int)a[0], a[1]);
    case SYS_fsync:
    case SYS_fdatasync: return do_sync(number, (int)a[0]);
    case SYS_statfs:
    case SYS_fstatfs: return do_space(number, a);
    }
    // Ways to change a file that the program does not use: if it begins to, the journal says so.
    int fd = (int)(number == SYS_copy_file_range ? a[2] : number == SYS_mmap ? a[4] : a[0]);
    long result = raw(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    if (known(fd, &found)) record(UNKNOWN, found.st_ino, (uint64_t)number, NULL, NULL, NULL, 0, 0);
    return result;
}

static void on_sigsys(int signal, siginfo_t *info, void *context) {
    (void)signal;
    ucontext_t *at = context;
#if defined(__x86_64__)
    greg_t *r = at->uc_mcontext.gregs;
    long a[6] = {r[REG_RDI], r[REG_RSI], r[REG_RDX], r[REG_R10], r[REG_R8], r[REG_R9]};
    r[REG_RAX] = dispatch(info->si_syscall, a);
#else
    unsigned long long *r = at->uc_mcontext.regs;
    long a[6] = {r[0], r[1], r[2], r[3], r[4], r[5]};
    r[0] = (unsigned long long)dispatch(info->si_syscall, a);
#endif
}

// The wall clock of the program is asked for through libc, so wrapping these is enough.
int clock_gettime(clockid_t clock, struct timespec *out) {
    long result = SYS(SYS_clock_gettime, clock, out);
    if (result != 0) {
        errno = (int)-result;
        return -1;
    }
    if (clock == CLOCK_REALTIME && control != NULL) {
        int64_t now = (int64_t)out->tv_sec * 1000000000 + out->tv_nsec, ppm = (int64_t)get(CLOCK_PPM);
        if (ppm != 0) now += (now - (int64_t)get(CLOCK_BASE)) / 1000000 * ppm;
        now += (int64_t)get(CLOCK_OFFSET);
        out->tv_sec = now / 1000000000;
        out->tv_nsec = now % 1000000000;
    }
    return 0;
}
int gettimeofday(struct timeval *restrict out, void *restrict zone) {
    (void)zone;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    out->tv_sec = now.tv_sec;
    out->tv_usec = now.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}

static const int CALLS[] = {
#ifdef SYS_open
    SYS_open, SYS_creat, SYS_rename, SYS_link, SYS_unlink, SYS_rmdir, SYS_mkdir, SYS_symlink,
#endif
    SYS_openat, SYS_renameat, SYS_renameat2, SYS_linkat, SYS_unlinkat, SYS_mkdirat, SYS_symlinkat, SYS_truncate, SYS_write,
    SYS_writev, SYS_pwrite64, SYS_pwritev, SYS_pwritev2, SYS_ftruncate, SYS_fsync, SYS_fdatasync, SYS_statfs, SYS_fstatfs,
    SYS_fallocate, SYS_copy_file_range, SYS_sendfile, SYS_sync_file_range,
};
#define CALLS_COUNT (sizeof CALLS / sizeof CALLS[0])

static void install(void) {
    struct sigaction action = {0};
    action.sa_sigaction = on_sigsys;
    action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_RESTART;
    sigaction(SIGSYS, &action, NULL);
    struct sock_filter code[CALLS_COUNT + 32];
    unsigned short n = 0;
    uint64_t after = (uint64_t)(uintptr_t)raw_after;
    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    // A shared mapping that may be written: 1 is MAP_SHARED, 3 MAP_SHARED_VALIDATE, both have the lowest bit.
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 4);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2]));
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_WRITE, 0, CALLS_COUNT + 2);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[3]));
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, MAP_SHARED, CALLS_COUNT + 1, CALLS_COUNT);
    for (size_t i = 0; i < CALLS_COUNT; i++) {
        code[n] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CALLS[i], (unsigned char)(CALLS_COUNT - i), 0);
        n++;
    }
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer));
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)after, 0, 3);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer) + 4);
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(after >> 32), 0, 1);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
    struct sock_fprog program = {n, code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) != 0)
        _exit(99);
}

__attribute__((constructor)) static void begin(void) {
    const char *below_this = getenv("GOLEM_FAULT_ROOT"), *words = getenv("GOLEM_FAULT_CONTROL"),
               *log = getenv("GOLEM_FAULT_JOURNAL");
    if (below_this == NULL || words == NULL) return;
    struct stat found;
    root_bytes = strlen(below_this);
    int file = open(words, O_RDWR | O_CLOEXEC);
    if (root_bytes >= PATHS || file < 0 || stat(below_this, &found) != 0) _exit(98);
    strcpy(root, below_this);
    root_device = found.st_dev;
    void *page = mmap(NULL, WORDS * sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (page == MAP_FAILED) _exit(98);
    if (log != NULL && (journal = open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600)) < 0) _exit(98);
    control = page;
    install();
}
