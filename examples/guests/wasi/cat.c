// Writes files, or standard input where there is no argument, to standard output; their sizes to standard error.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int copy(FILE *from, const char *name)
{
    char buffer[4096];
    size_t count, total = 0;
    while ((count = fread(buffer, 1, sizeof buffer, from)) > 0)
    {
        total += count;
        if (fwrite(buffer, 1, count, stdout) != count)
            return 1;
    }
    fprintf(stderr, "%s: %zu bytes\n", name, total);
    return ferror(from) != 0;
}

int main(int argc, char **argv)
{
    if (argc == 1)
        return copy(stdin, "stdin");
    for (int i = 1; i < argc; i++)
    {
        FILE *file = fopen(argv[i], "rb");
        if (!file)
        {
            fprintf(stderr, "%s: %s\n", argv[i], strerror(errno));
            return 1;
        }
        if (copy(file, argv[i]))
            return 2;
        fclose(file);
    }
    return 0;
}
