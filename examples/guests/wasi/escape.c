// Tries to leave what it was given. Prints the result of each attempt; every one must be refused.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wasi/api.h>

static int reached;

static void attempt(const char *path)
{
    int file = open(path, O_RDONLY);
    printf("open %s: %s\n", path, file < 0 ? "refused" : "REACHED");
    reached += file >= 0;
}

// Below the C library, which checks some paths itself.
static void raw(const char *path)
{
    for (__wasi_fd_t directory = 3; directory < 8; directory++)
    {
        __wasi_prestat_t prestat;
        if (__wasi_fd_prestat_get(directory, &prestat))
            break;
        __wasi_fd_t file;
        __wasi_errno_t code = __wasi_path_open(directory, __WASI_LOOKUPFLAGS_SYMLINK_FOLLOW, path, 0, __WASI_RIGHTS_FD_READ, 0, 0, &file);
        __wasi_filestat_t status;
        if (code)
            code = __wasi_path_filestat_get(directory, __WASI_LOOKUPFLAGS_SYMLINK_FOLLOW, path, &status);
        printf("path_open %u %s: %s\n", (unsigned)directory, path, code ? "refused" : "REACHED");
        reached += !code;
    }
}

int main(int argc, char **argv)
{
    attempt("/etc/passwd");
    attempt("../../../etc/passwd");
    attempt("/in/../../etc/passwd");
    attempt("/scratch/../../../../etc/passwd");
    attempt("/proc/self/environ");
    raw("/etc/passwd");
    raw("..");
    raw("../");
    raw("../../etc/passwd");
    raw("x/../../etc/passwd");
    raw("./../etc/passwd");
    mkdir("/scratch/deep", 0777);
    raw("deep/../../etc/passwd");
    if (!symlink("/etc/passwd", "/scratch/absolute"))
        attempt("/scratch/absolute");
    if (!symlink("../../../../../../../etc/passwd", "/scratch/relative"))
        attempt("/scratch/relative");
    if (!symlink("..", "/scratch/up"))
        attempt("/scratch/up/etc/passwd");
    for (int i = 1; i < argc; i++)
        attempt(argv[i]);
    printf("%d reached\n", reached);
    return reached != 0;
}
