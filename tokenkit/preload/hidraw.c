/*
 * Virtual security keys as /dev/hidrawN for programs that load this library with LD_PRELOAD.
 *
 * $TOKENKIT_PRELOAD names a folder that lies over the file system: what is in it under sys/,
 * run/udev/ and dev/hidraw* is seen in the place of the real thing; an absolute symbolic link
 * there stands for the real thing of that name, so that listings show both. dev/hidrawN in it is
 * a Unix socket of packets that the key listens on. A program that opens the node gets a
 * connected socket: reading, writing, polling, duplicating and closing it need no help, as one
 * packet is what one read or write of a hidraw file is. What the ioctls answer is read from
 * sysfs in the folder.
 */
#undef _FILE_OFFSET_BITS
#undef _FORTIFY_SOURCE
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/hidraw.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

_Static_assert(sizeof(struct stat) == sizeof(struct stat64), "64-bit computers only");

#define NODE_MODE (S_IFCHR | S_IRUSR | S_IWUSR)

static const char DEVICES[] = "/dev/hidraw";
static char root[PATH_MAX];
static size_t root_length; /* 0: leave all calls alone */

__attribute__((constructor)) static void start(void)
{
	const char *folder = getenv("TOKENKIT_PRELOAD");

	if (folder != NULL && folder[0] == '/' && strlen(folder) < sizeof(root)) {
		strcpy(root, folder);
		root_length = strlen(folder);
	}
}

/* The C library's own function. */
#define REAL(name)                                                       \
	({                                                               \
		static __typeof__(&name) real;                           \
		if (real == NULL)                                        \
			real = (__typeof__(&name))dlsym(RTLD_NEXT, #name); \
		real;                                                    \
	})

static int starts_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

static int is_in(const char *path, const char *folder)
{
	size_t length = strlen(folder);

	return strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/* The path of an open file, or AT_FDCWD's, into `buffer` of PATH_MAX bytes; 0: there is none. */
static int path_of(int fd, char *buffer)
{
	char link[40] = "/proc/self/cwd";
	ssize_t length;

	if (fd != AT_FDCWD)
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = syscall(SYS_readlinkat, AT_FDCWD, link, buffer, PATH_MAX - 1);
	if (length <= 0)
		return 0;
	buffer[length] = '\0';
	return buffer[0] == '/';
}

/* What `path`, as seen from the directory `at`, is called by a program; 0: none of our business. */
static int name_of(int at, const char *path, char *name, int *inside)
{
	char directory[PATH_MAX];
	const char *shown = directory;

	*inside = 0;
	if (path[0] == '/')
		return snprintf(name, PATH_MAX, "%s", path) < PATH_MAX;
	if (path[0] == '\0' || !path_of(at, directory))
		return 0;
	if (is_in(directory, root)) {
		*inside = 1;
		shown = directory + root_length;
	}
	if (strcmp(shown, "/") == 0)
		shown = "";
	return snprintf(name, PATH_MAX, "%s/%s", shown, path) < PATH_MAX;
}

static int may_be_ours(const char *name)
{
	return is_in(name, "/sys") || is_in(name, "/run/udev") || starts_with(name, DEVICES) ||
	       strcmp(name, "/dev") == 0 || strcmp(name, "/dev/") == 0;
}

/* The path to use in the place of `path`, made in `there` of PATH_MAX bytes; NULL: as it is. */
static const char *redirect(int at, const char *path, char *there)
{
	char name[PATH_MAX], first = 0;
	int inside, kept = errno, found = 0;

	if (root_length == 0 || path == NULL || !name_of(at, path, name, &inside)) {
		errno = kept;
		return NULL;
	}
	if (may_be_ours(name) && snprintf(there, PATH_MAX, "%s%s", root, name) < PATH_MAX) {
		if (syscall(SYS_readlinkat, AT_FDCWD, there, &first, 1) < 0)
			found = errno == EINVAL; /* there, and no link */
		else
			found = first != '/';
	}
	errno = kept;
	if (found)
		return there;
	return inside ? strcpy(there, name) : NULL;
}

static int is_node(const char *there)
{
	return there != NULL && is_in(there, root) && starts_with(there + root_length, DEVICES);
}

/* The node, as it lies in our folder, that `fd` is open on; NULL if it is something else. */
static const char *node_of(int fd, char *buffer)
{
	struct sockaddr_un peer;
	socklen_t length = sizeof(peer);
	int kept = errno, found;

	if (root_length == 0)
		return NULL;
	memset(&peer, 0, sizeof(peer));
	if (getpeername(fd, (struct sockaddr *)&peer, &length) == 0 && peer.sun_family == AF_UNIX)
		found = snprintf(buffer, PATH_MAX, "%.*s", (int)sizeof(peer.sun_path), peer.sun_path) > 0;
	else
		found = path_of(fd, buffer); /* opened with O_PATH */
	errno = kept;
	return found && is_node(buffer) ? buffer : NULL;
}

/* A file that sysfs has on a node, ended by a 0; the number of bytes, -1 and errno without it. */
static ssize_t attribute(const char *node, const char *file, char *data, size_t size)
{
	char path[PATH_MAX + 64];
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "%s/sys/class/hidraw/%s/%s", root, strrchr(node, '/') + 1, file);
	fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	length = fd < 0 ? -1 : syscall(SYS_read, fd, data, size - 1);
	if (fd >= 0)
		syscall(SYS_close, fd);
	if (length < 0)
		errno = ENODEV;
	else
		data[length] = '\0';
	return length;
}

static int device_number(const char *node, unsigned *major_number, unsigned *minor_number)
{
	char text[32];
	int kept = errno;
	int found = attribute(node, "dev", text, sizeof(text)) > 0 &&
		    sscanf(text, "%u:%u", major_number, minor_number) == 2;

	errno = kept;
	return found;
}

/* open */

static int open_node(const char *node, int flags)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(node) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(address.sun_path, node);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | (flags & O_CLOEXEC ? SOCK_CLOEXEC : 0), 0);
	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		int reason = errno == EACCES ? EACCES : ENODEV;

		close(fd);
		errno = reason;
		return -1;
	}
	if (flags & O_NONBLOCK)
		fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

static int open_any(int at, const char *path, int flags, mode_t mode)
{
	char there[PATH_MAX];
	const char *to = redirect(at, path, there);

	if (is_node(to) && !(flags & O_PATH))
		return open_node(to, flags);
	return REAL(openat)(to ? AT_FDCWD : at, to ? to : path, flags, mode);
}

#define MODE(last)                                              \
	mode_t mode = 0;                                        \
	if ((flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE) { \
		va_list rest;                                   \
		va_start(rest, last);                           \
		mode = va_arg(rest, mode_t);                    \
		va_end(rest);                                   \
	}

int open(const char *path, int flags, ...)
{
	MODE(flags)
	return open_any(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
	MODE(flags)
	return open_any(AT_FDCWD, path, flags, mode);
}

int openat(int at, const char *path, int flags, ...)
{
	MODE(flags)
	return open_any(at, path, flags, mode);
}

int openat64(int at, const char *path, int flags, ...)
{
	MODE(flags)
	return open_any(at, path, flags, mode);
}

/* what <fcntl.h> makes of the above with _FORTIFY_SOURCE */
int __open_2(const char *path, int flags)
{
	return open_any(AT_FDCWD, path, flags, 0);
}

int __open64_2(const char *path, int flags)
{
	return open_any(AT_FDCWD, path, flags, 0);
}

int __openat_2(int at, const char *path, int flags)
{
	return open_any(at, path, flags, 0);
}

int __openat64_2(int at, const char *path, int flags)
{
	return open_any(at, path, flags, 0);
}

#define FOPEN(name)                                                                \
	FILE *name(const char *path, const char *mode)                             \
	{                                                                          \
		char there[PATH_MAX];                                              \
		const char *to = redirect(AT_FDCWD, path, there);                  \
		int fd;                                                            \
                                                                                   \
		if (!is_node(to))                                                  \
			return REAL(name)(to ? to : path, mode);                   \
		fd = open_node(to, strchr(mode, 'e') ? O_CLOEXEC : 0);             \
		return fd < 0 ? NULL : fdopen(fd, mode);                           \
	}

FOPEN(fopen)
FOPEN(fopen64)

/* folders */

DIR *opendir(const char *path)
{
	char there[PATH_MAX];
	const char *to = redirect(AT_FDCWD, path, there);

	return REAL(opendir)(to ? to : path);
}

int scandir(const char *path, struct dirent ***names, int (*filter)(const struct dirent *),
	    int (*compare)(const struct dirent **, const struct dirent **))
{
	char there[PATH_MAX];
	const char *to = redirect(AT_FDCWD, path, there);

	return REAL(scandir)(to ? to : path, names, filter, compare);
}

int scandir64(const char *path, struct dirent64 ***names, int (*filter)(const struct dirent64 *),
	      int (*compare)(const struct dirent64 **, const struct dirent64 **))
{
	char there[PATH_MAX];
	const char *to = redirect(AT_FDCWD, path, there);

	return REAL(scandir64)(to ? to : path, names, filter, compare);
}

int chdir(const char *path)
{
	char there[PATH_MAX];
	const char *to = redirect(AT_FDCWD, path, there);

	return REAL(chdir)(to ? to : path);
}

int inotify_add_watch(int fd, const char *path, uint32_t mask)
{
	char there[PATH_MAX];
	const char *to = redirect(AT_FDCWD, path, there);

	return REAL(inotify_add_watch)(fd, to ? to : path, mask);
}

/* stat: the socket of a node shows as the character device */

static int stat_any(int at, const char *path, struct stat *status, int flags)
{
	char there[PATH_MAX], buffer[PATH_MAX];
	const char *to = redirect(at, path, there);
	unsigned major_number, minor_number;

	if (syscall(SYS_newfstatat, to ? AT_FDCWD : at, to ? to : path, status, flags) < 0)
		return -1;
	if (S_ISSOCK(status->st_mode) && root_length != 0) {
		const char *node = to ? to : path[0] ? NULL : node_of(at, buffer);

		if (is_node(node) && device_number(node, &major_number, &minor_number)) {
			status->st_mode = NODE_MODE;
			status->st_rdev = makedev(major_number, minor_number);
		}
	}
	return 0;
}

int stat(const char *path, struct stat *status)
{
	return stat_any(AT_FDCWD, path, status, 0);
}

int lstat(const char *path, struct stat *status)
{
	return stat_any(AT_FDCWD, path, status, AT_SYMLINK_NOFOLLOW);
}

int fstat(int fd, struct stat *status)
{
	return stat_any(fd, "", status, AT_EMPTY_PATH);
}

int fstatat(int at, const char *path, struct stat *status, int flags)
{
	return stat_any(at, path, status, flags);
}

int stat64(const char *path, struct stat64 *status)
{
	return stat_any(AT_FDCWD, path, (struct stat *)status, 0);
}

int lstat64(const char *path, struct stat64 *status)
{
	return stat_any(AT_FDCWD, path, (struct stat *)status, AT_SYMLINK_NOFOLLOW);
}

int fstat64(int fd, struct stat64 *status)
{
	return stat_any(fd, "", (struct stat *)status, AT_EMPTY_PATH);
}

int fstatat64(int at, const char *path, struct stat64 *status, int flags)
{
	return stat_any(at, path, (struct stat *)status, flags);
}

/* the same before glibc 2.33 */
int __xstat(int version, const char *path, struct stat *status)
{
	(void)version;
	return stat_any(AT_FDCWD, path, status, 0);
}

int __lxstat(int version, const char *path, struct stat *status)
{
	(void)version;
	return stat_any(AT_FDCWD, path, status, AT_SYMLINK_NOFOLLOW);
}

int __fxstat(int version, int fd, struct stat *status)
{
	(void)version;
	return stat_any(fd, "", status, AT_EMPTY_PATH);
}

int __fxstatat(int version, int at, const char *path, struct stat *status, int flags)
{
	(void)version;
	return stat_any(at, path, status, flags);
}

int __xstat64(int, const char *, struct stat *) __attribute__((alias("__xstat")));
int __lxstat64(int, const char *, struct stat *) __attribute__((alias("__lxstat")));
int __fxstat64(int, int, struct stat *) __attribute__((alias("__fxstat")));
int __fxstatat64(int, int, const char *, struct stat *, int) __attribute__((alias("__fxstatat")));

int statx(int at, const char *path, int flags, unsigned mask, struct statx *status)
{
	char there[PATH_MAX], buffer[PATH_MAX];
	const char *to = redirect(at, path, there), *node;

	if (REAL(statx)(to ? AT_FDCWD : at, to ? to : path, flags, mask, status) < 0)
		return -1;
	if (S_ISSOCK(status->stx_mode) && root_length != 0) {
		node = to ? to : path[0] ? NULL : node_of(at, buffer);
		if (is_node(node) &&
		    device_number(node, &status->stx_rdev_major, &status->stx_rdev_minor))
			status->stx_mode = NODE_MODE;
	}
	return 0;
}

/* libudev wants its files to be in a sysfs */
#define STATFS(name)                                                                   \
	int name(const char *path, struct name *status)                                \
	{                                                                              \
		char there[PATH_MAX];                                                  \
		const char *to = redirect(AT_FDCWD, path, there);                      \
		int result = REAL(name)(to ? to : path, status);                       \
                                                                                       \
		if (result == 0 && to != NULL && is_in(to, root) &&                    \
		    is_in(to + root_length, "/sys"))                                   \
			status->f_type = SYSFS_MAGIC;                                  \
		return result;                                                         \
	}                                                                              \
	int f##name(int fd, struct name *status)                                       \
	{                                                                              \
		char path[PATH_MAX];                                                   \
		int result = REAL(f##name)(fd, status);                                \
                                                                                       \
		if (result == 0 && root_length != 0 && path_of(fd, path) &&            \
		    is_in(path, root) && is_in(path + root_length, "/sys"))            \
			status->f_type = SYSFS_MAGIC;                                  \
		return result;                                                         \
	}

STATFS(statfs)
STATFS(statfs64)

int access(const char *path, int mode)
{
	char there[PATH_MAX];
	const char *to = redirect(AT_FDCWD, path, there);

	return REAL(access)(to ? to : path, mode);
}

int eaccess(const char *path, int mode)
{
	char there[PATH_MAX];
	const char *to = redirect(AT_FDCWD, path, there);

	return REAL(eaccess)(to ? to : path, mode);
}

int euidaccess(const char *path, int mode)
{
	return eaccess(path, mode);
}

int faccessat(int at, const char *path, int mode, int flags)
{
	char there[PATH_MAX];
	const char *to = redirect(at, path, there);

	return REAL(faccessat)(to ? AT_FDCWD : at, to ? to : path, mode, flags);
}

/* links */

ssize_t readlinkat(int at, const char *path, char *buffer, size_t size)
{
	char there[PATH_MAX];
	const char *to = redirect(at, path, there);

	return syscall(SYS_readlinkat, to ? AT_FDCWD : at, to ? to : path, buffer, size);
}

ssize_t readlink(const char *path, char *buffer, size_t size)
{
	return readlinkat(AT_FDCWD, path, buffer, size);
}

ssize_t __readlink_chk(const char *path, char *buffer, size_t size, size_t room)
{
	if (size > room)
		abort();
	return readlinkat(AT_FDCWD, path, buffer, size);
}

ssize_t __readlinkat_chk(int at, const char *path, char *buffer, size_t size, size_t room)
{
	if (size > room)
		abort();
	return readlinkat(at, path, buffer, size);
}

char *realpath(const char *path, char *resolved)
{
	char there[PATH_MAX];
	const char *to = redirect(AT_FDCWD, path, there);
	char *found = REAL(realpath)(to ? to : path, resolved);

	if (found != NULL && to != NULL && is_in(found, root))
		memmove(found, found + root_length, strlen(found + root_length) + 1);
	return found;
}

char *__realpath_chk(const char *path, char *resolved, size_t room)
{
	if (room < PATH_MAX)
		abort();
	return realpath(path, resolved);
}

char *canonicalize_file_name(const char *path)
{
	return realpath(path, NULL);
}

/* extended attributes, for access control lists: a node has none */

#define GETXATTR(name)                                                               \
	ssize_t name(const char *path, const char *attribute_name, void *value, size_t size) \
	{                                                                            \
		char there[PATH_MAX];                                                \
		const char *to = redirect(AT_FDCWD, path, there);                    \
                                                                                     \
		return REAL(name)(to ? to : path, attribute_name, value, size);      \
	}

ssize_t getxattr(const char *path, const char *name, void *value, size_t size);
ssize_t lgetxattr(const char *path, const char *name, void *value, size_t size);
GETXATTR(getxattr)
GETXATTR(lgetxattr)

/* hidraw */

/* The value of `key`, such as "\nHID_NAME=", in uevent; cut out in place. */
static char *value_in(char *uevent, const char *key)
{
	char *value = strstr(uevent, key);

	if (value == NULL)
		return strchr(uevent, '\0');
	value += strlen(key);
	value[strcspn(value, "\n")] = '\0';
	return value;
}

static int answer_text(const char *node, const char *key, unsigned size, void *answer)
{
	char uevent[4096] = "\n", *value;
	unsigned length;

	if (attribute(node, "device/uevent", uevent + 1, sizeof(uevent) - 1) < 0)
		return -1;
	value = value_in(uevent, key);
	length = strlen(value) + 1;
	if (length > size)
		length = size;
	memcpy(answer, value, length);
	return length;
}

static int hid_ioctl(const char *node, unsigned request, void *answer)
{
	char descriptor[HID_MAX_DESCRIPTOR_SIZE + 1], id[64];
	unsigned bus, vendor, product;
	ssize_t length;

	switch (_IOC_NR(request)) {
	case _IOC_NR(HIDIOCGRDESCSIZE):
	case _IOC_NR(HIDIOCGRDESC):
		length = attribute(node, "device/report_descriptor", descriptor, sizeof(descriptor));
		if (length < 0)
			return -1;
		if (_IOC_NR(request) == _IOC_NR(HIDIOCGRDESCSIZE)) {
			*(int *)answer = length;
		} else {
			struct hidraw_report_descriptor *wanted = answer;

			if (wanted->size > HID_MAX_DESCRIPTOR_SIZE - 1)
				break;
			memcpy(wanted->value, descriptor,
			       length < wanted->size ? (size_t)length : wanted->size);
		}
		return 0;
	case _IOC_NR(HIDIOCGRAWINFO):
		if (answer_text(node, "\nHID_ID=", sizeof(id), id) < 0)
			return -1;
		if (sscanf(id, "%x:%x:%x", &bus, &vendor, &product) != 3)
			break;
		*(struct hidraw_devinfo *)answer = (struct hidraw_devinfo){bus, vendor, product};
		return 0;
	case _IOC_NR(HIDIOCGRAWNAME(0)):
		return answer_text(node, "\nHID_NAME=", _IOC_SIZE(request), answer);
	case _IOC_NR(HIDIOCGRAWPHYS(0)):
		return answer_text(node, "\nHID_PHYS=", _IOC_SIZE(request), answer);
	case 0x08: /* HIDIOCGRAWUNIQ, which older headers lack */
		return answer_text(node, "\nHID_UNIQ=", _IOC_SIZE(request), answer);
	}
	errno = EINVAL; /* such as feature reports: a FIDO key has none */
	return -1;
}

int ioctl(int fd, unsigned long request, ...)
{
	char buffer[PATH_MAX];
	const char *node;
	va_list rest;
	void *argument;

	va_start(rest, request);
	argument = va_arg(rest, void *);
	va_end(rest);
	if (_IOC_TYPE(request) == 'H' && (node = node_of(fd, buffer)) != NULL)
		return hid_ioctl(node, (unsigned)request, argument);
	return REAL(ioctl)(fd, request, argument);
}

/*
 * libfido2 locks a node while it uses it. Each open node is a socket of its own here, so what is
 * locked is a name: no two sockets can have the same, and it is free again when the socket is
 * closed for good, as the lock would be. A lock given back before that stays.
 */
int flock(int fd, int operation)
{
	char buffer[PATH_MAX];
	const char *node = node_of(fd, buffer);
	struct sockaddr_un name = {.sun_family = AF_UNIX}, own;
	const struct timespec pause = {.tv_nsec = 5000000};
	socklen_t length = sizeof(own);

	if (node == NULL)
		return REAL(flock)(fd, operation);
	if (!(operation & LOCK_EX))
		return 0;
	if (getsockname(fd, (struct sockaddr *)&own, &length) == 0 && length > sizeof(own.sun_family))
		return 0;
	/* abstract: the first byte stays 0 */
	snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "%s", node);
	length = sizeof(own.sun_family) + 1 + strlen(name.sun_path + 1);
	while (bind(fd, (struct sockaddr *)&name, length) < 0) {
		if (errno != EADDRINUSE)
			return -1;
		if (operation & LOCK_NB) {
			errno = EWOULDBLOCK;
			return -1;
		}
		nanosleep(&pause, NULL);
	}
	return 0;
}
