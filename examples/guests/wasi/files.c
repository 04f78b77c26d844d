// What programs do with files and directories, under /scratch and /out; every line printed is the same on every host that
// serves both as empty, writable directories.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static const char *name(int code)
{
    switch (code)
    {
    case 0: return "ok";
    case ENOENT: return "ENOENT";
    case EEXIST: return "EEXIST";
    case ENOTDIR: return "ENOTDIR";
    case EISDIR: return "EISDIR";
    case ENOTEMPTY: return "ENOTEMPTY";
    case EINVAL: return "EINVAL";
    case EBADF: return "EBADF";
    case ENOTCAPABLE: return "ENOTCAPABLE";
    case EPERM: return "EPERM";
    case EROFS: return "EROFS";
    case ELOOP: return "ELOOP";
    case ENOTSUP: return "ENOTSUP";
    case ESPIPE: return "ESPIPE";
    default: return strerror(code);
    }
}

static void tell(const char *what, int result)
{
    printf("%s: %s\n", what, result < 0 ? name(errno) : "ok");
}

static int byName(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void list(const char *path)
{
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, byName);
    printf("%s:", path);
    if (count < 0)
        printf(" %s", name(errno));
    for (int i = 0; i < count; i++)
        if (entries[i]->d_name[0] != '.')
            printf(" %s%s", entries[i]->d_name, entries[i]->d_type == DT_DIR ? "/" : "");
    printf("\n");
}

static void status(const char *path)
{
    struct stat s;
    if (stat(path, &s))
        printf("%s: %s\n", path, name(errno));
    else
        printf("%s: %s of %lld bytes\n", path, S_ISDIR(s.st_mode) ? "directory" : S_ISREG(s.st_mode) ? "file" : "other",
            S_ISDIR(s.st_mode) ? 0LL : (long long)s.st_size);
}

static void content(const char *path)
{
    char text[64];
    int file = open(path, O_RDONLY);
    ssize_t count = file < 0 ? -1 : read(file, text, sizeof text);
    if (count < 0)
        printf("%s: %s\n", path, name(errno));
    for (ssize_t i = 0; i < count; i++)
        if (!text[i])
            text[i] = '0';
    if (count >= 0)
        printf("%s: [%.*s]\n", path, (int)count, text);
    close(file);
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    if (!file || fputs(text, file) < 0 || fclose(file))
        printf("%s: %s\n", path, name(errno));
}

int main(void)
{
    tell("mkdir", mkdir("/scratch/a", 0777));
    tell("mkdir again", mkdir("/scratch/a", 0777));
    tell("mkdir without parent", mkdir("/scratch/x/y", 0777));
    tell("mkdir nested", mkdir("/scratch/a/b", 0777));
    write_text("/scratch/a/one", "first file\n");
    write_text("/scratch/a/two", "");
    write_text("scratch/a/b/three", "relative\n");
    list("/scratch");
    list("/scratch/a");
    status("/scratch/a");
    status("/scratch/a/one");
    status("/scratch/none");
    status("/scratch/a/one/");
    content("/scratch/a/../a/./b/three");

    int file = open("/scratch/a/one", O_RDWR);
    char text[16] = {0};
    printf("seek: %lld\n", (long long)lseek(file, -5, SEEK_END));
    printf("read: %zd", read(file, text, 4));
    printf(" %s\n", text);
    printf("tell: %lld\n", (long long)lseek(file, 0, SEEK_CUR));
    tell("seek before the start", (int)lseek(file, -1, SEEK_SET));
    printf("pwrite: %zd\n", pwrite(file, "FILE", 4, 6));
    printf("pread: %zd", pread(file, text, 5, 0));
    printf(" %s\n", text);
    struct iovec parts[2] = {{"ab", 2}, {"cde", 3}};
    lseek(file, 0, SEEK_END);
    printf("writev: %zd\n", writev(file, parts, 2));
    tell("truncate", ftruncate(file, 13));
    tell("extend", ftruncate(file, 15));
    struct stat s;
    fstat(file, &s);
    printf("size: %lld\n", (long long)s.st_size);
    tell("fsync", fsync(file));
    tell("allocate", posix_fallocate(file, 0, 18));
    close(file);
    content("/scratch/a/one");
    file = open("/scratch/a/one", O_WRONLY | O_APPEND);
    printf("append: %zd\n", write(file, "end", 3));
    tell("read of a file for writing", (int)read(file, text, 1));
    close(file);
    tell("write to a closed file", (int)write(file, "x", 1));
    content("/scratch/a/one");
    tell("exclusive", open("/scratch/a/one", O_CREAT | O_EXCL | O_WRONLY, 0666));
    tell("directory as file", open("/scratch/a", O_WRONLY));
    tell("file as directory", open("/scratch/a/one", O_RDONLY | O_DIRECTORY));
    tell("through a file", open("/scratch/a/one/two", O_RDONLY));
    file = open("/scratch/a/one", O_WRONLY | O_TRUNC);
    close(file);
    status("/scratch/a/one");

    tell("rename", rename("/scratch/a/two", "/scratch/second"));
    tell("rename over", rename("/scratch/a/b/three", "/scratch/second"));
    content("/scratch/second");
    tell("rename to another tree", rename("/scratch/a", "/scratch/a/b/c"));
    tell("rename directory", rename("/scratch/a/b", "/scratch/moved"));
    tell("rename missing", rename("/scratch/none", "/scratch/other"));
    list("/scratch");
    tell("rmdir full", rmdir("/scratch/a"));
    tell("unlink directory", unlink("/scratch/moved"));
    tell("rmdir of a file", rmdir("/scratch/second"));
    tell("unlink", unlink("/scratch/a/one"));
    tell("unlink again", unlink("/scratch/a/one"));
    tell("rmdir", rmdir("/scratch/a"));

    file = open("/scratch/second", O_RDONLY);
    unlink("/scratch/second");
    printf("read after unlink: %zd\n", read(file, text, 3));
    close(file);
    list("/scratch");
    tell("mkdir out", mkdir("/out/results", 0777));
    write_text("/out/results/summary.txt", "42\n");
    write_text("/out/log.txt", "done\n");
    list("/out");
    status("/in/none");
    return 0;
}
