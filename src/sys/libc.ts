/**
 * The only FFI of the project: libc signatures, each beside the man-page line that it mirrors.
 *
 * Pointers and sizes are declared `uintptr_t` and passed as JavaScript numbers: the cheapest signature that
 * koffi has (34-45 ns a call). Every wrapper elsewhere in sys/ turns a negative result into a SystemError.
 */
import koffi from 'koffi';

// Asynchronous calls queue up (hundreds of ports opened or closed at once); koffi's own limit of 256 throws.
koffi.config({ ...koffi.config(), max_async_calls: 4096 });

const libc = koffi.load('libc.so.6');

/** int fcntl(int fd, int cmd, ...); with the address of a struct flock — fcntl(2) */
export const fcntl = libc.func('int fcntl(int, int, uintptr_t)');
/** int close(int fd) — close(2) */
export const close = libc.func('int close(int)');
/** ssize_t read(int fd, void buf[.count], size_t count) — read(2) */
export const read = libc.func('int64_t read(int, uintptr_t, uintptr_t)');
/** ssize_t write(int fd, const void buf[.count], size_t count) — write(2) */
export const write = libc.func('int64_t write(int, uintptr_t, uintptr_t)');
/** ssize_t writev(int fd, const struct iovec *iov, int iovcnt) — readv(2) */
export const writev = libc.func('int64_t writev(int, uintptr_t, int)');
/** int ioctl(int fd, unsigned long request, ...) — ioctl(2) */
export const ioctl = libc.func('int ioctl(int, uint64_t, uintptr_t)');
/** int socket(int domain, int type, int protocol) — socket(2) */
export const socket = libc.func('int socket(int, int, int)');
/** int bind(int sockfd, const struct sockaddr *addr, socklen_t addrlen) — bind(2) */
export const bind = libc.func('int bind(int, uintptr_t, uint32_t)');
/** int connect(int sockfd, const struct sockaddr *addr, socklen_t addrlen) — connect(2) */
export const connect = libc.func('int connect(int, uintptr_t, uint32_t)');
/** int setsockopt(int sockfd, int level, int optname, const void optval[.optlen], socklen_t optlen) — getsockopt(2) */
export const setsockopt = libc.func('int setsockopt(int, int, int, uintptr_t, uint32_t)');
/** int getsockopt(int sockfd, int level, int optname, void optval[], socklen_t *optlen) — getsockopt(2) */
export const getsockopt = libc.func('int getsockopt(int, int, int, uintptr_t, uintptr_t)');
/** void *mmap(void addr[.length], size_t length, int prot, int flags, int fd, off_t offset) — mmap(2) */
export const mmap = libc.func('uintptr_t mmap(uintptr_t, uintptr_t, int, int, int, int64_t)');
/** int clock_gettime(clockid_t clockid, struct timespec *tp) — clock_getres(2) */
export const clockGettime = libc.func('int clock_gettime(int, uintptr_t)');
/** int munmap(void addr[.length], size_t length) — mmap(2) */
export const munmap = libc.func('int munmap(uintptr_t, uintptr_t)');
/** int recvmmsg(int sockfd, struct mmsghdr *msgvec, unsigned int vlen, int flags, struct timespec *timeout) — recvmmsg(2) */
export const recvmmsg = libc.func('int recvmmsg(int, uintptr_t, uint32_t, int, uintptr_t)');
/** int sendmmsg(int sockfd, struct mmsghdr *msgvec, unsigned int vlen, int flags) — sendmmsg(2) */
export const sendmmsg = libc.func('int sendmmsg(int, uintptr_t, uint32_t, int)');
/** int epoll_create1(int flags) — epoll_create(2) */
export const epollCreate1 = libc.func('int epoll_create1(int)');
/** int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event) — epoll_ctl(2) */
export const epollCtl = libc.func('int epoll_ctl(int, int, int, uintptr_t)');
/** int epoll_wait(int epfd, struct epoll_event *events, int maxevents, int timeout) — epoll_wait(2) */
export const epollWait = libc.func('int epoll_wait(int, uintptr_t, int, int)');
/** int ppoll(struct pollfd *fds, nfds_t nfds, const struct timespec *tmo_p, const sigset_t *sigmask) — poll(2) */
export const ppoll = libc.func('int ppoll(uintptr_t, uint64_t, uintptr_t, uintptr_t)');
/** int eventfd(unsigned int initval, int flags) — eventfd(2) */
export const eventfd = libc.func('int eventfd(uint32_t, int)');
/** ssize_t send(int sockfd, const void buf[.len], size_t len, int flags) — send(2) */
export const send = libc.func('int64_t send(int, uintptr_t, uintptr_t, int)');
/** ssize_t recv(int sockfd, void buf[.len], size_t len, int flags) — recv(2) */
export const recv = libc.func('int64_t recv(int, uintptr_t, uintptr_t, int)');
/** ssize_t recvmsg(int sockfd, struct msghdr *msg, int flags) — recv(2) */
export const recvmsg = libc.func('int64_t recvmsg(int, uintptr_t, int)');
/** void *memcpy(void dest[restrict .n], const void src[restrict .n], size_t n) — memcpy(3) */
export const memcpy = libc.func('uintptr_t memcpy(uintptr_t, uintptr_t, uintptr_t)');
/** int dup2(int oldfd, int newfd) — dup(2) */
export const dup2 = libc.func('int dup2(int, int)');
/** int socketpair(int domain, int type, int protocol, int sv[2]) — socketpair(2) */
export const socketpair = libc.func('int socketpair(int, int, int, uintptr_t)');
/** int setns(int fd, int nstype) — setns(2) */
export const setns = libc.func('int setns(int, int)');
/** int sched_yield(void) — sched_yield(2) */
export const schedYield = libc.func('int sched_yield()');
/** int setpriority(int which, id_t who, int prio); Linux: of one thread — getpriority(2) */
export const setpriority = libc.func('int setpriority(int, uint32_t, int)');
/** int sched_setaffinity(pid_t pid, size_t cpusetsize, const cpu_set_t *mask); 0: the calling thread — sched_setaffinity(2) */
export const schedSetaffinity = libc.func('int sched_setaffinity(int, uintptr_t, uintptr_t)');
/** char *strerror(int errnum) — strerror(3) */
export const strerror = libc.func('const char *strerror(int)');

/**
 * Runs a call on the thread pool and resolves to its result, for calls that sleep in the kernel. A negative
 * result is negative errno, since errno itself belongs to another thread.
 */
export const callAsync = (f: ReturnType<typeof libc.func>, ...args: number[]): Promise<number> =>
  new Promise((resolve, reject) => {
    f.async(...args, (error: unknown, result: number) => {
      if (error) reject(error);
      else resolve(result < 0 ? -koffi.errno() : result);
    });
  });

/** errno of the calling thread after a failed call — errno(3) */
export const errno = (): number => koffi.errno();

/** True for mmap's MAP_FAILED, (void *) -1: an address too large for a number, which koffi hands over as a bigint. */
export const isMapFailed = (address: number | bigint): boolean => typeof address === 'bigint';

/** Address of a Buffer's first byte, for control calls. The caller keeps the buffer alive and pinned during the call. */
export const addressOf = (bytes: Uint8Array): number => Number(koffi.address(bytes));

/** A view of foreign memory as an ArrayBuffer, without a copy. It must never outlive the mapping. */
export const viewOf = (address: number, bytes: number): ArrayBuffer =>
  koffi.view(BigInt(address), bytes) as ArrayBuffer;
