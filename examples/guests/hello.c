/*
 * Says hello, then tells what it was given: its arguments and variables on stdout, one a line, and its standard input
 * byte for byte. Writes "file written by the guest\n" to /report.txt and "hello, stderr\n" to stderr. The exit code is
 * the first argument, if that is a number, else 0.
 */
#include "guest.h"

int run(int argc, char **argv, char **envp)
{
    static char buffer[4096];
    long count;
    int code = 0;
    print(1, "hello\n");
    for (int i = 1; i < argc; i++)
    {
        print(1, "arg ");
        print(1, argv[i]);
        print(1, "\n");
    }
    for (; *envp; envp++)
    {
        print(1, "env ");
        print(1, *envp);
        print(1, "\n");
    }
    while ((count = call(__NR_read, 0, (long)buffer, sizeof buffer)) > 0)
        call(__NR_write, 1, (long)buffer, count);
    print(2, "hello, stderr\n");
    long file = call(__NR_open, (long)"/report.txt", 0101 /* O_CREAT | O_WRONLY */, 0644);
    print(file, "file written by the guest\n");
    if (argc > 1)
        for (char *digit = argv[1]; *digit >= '0' && *digit <= '9'; digit++)
            code = code * 10 + (*digit - '0');
    return code;
}
