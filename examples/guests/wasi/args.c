// Prints its arguments and environment, one a line.
#include <stdio.h>
#include <stdlib.h>

extern char **environ;

int main(int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        printf("argv[%d] = %s\n", i, argv[i]);
    for (char **at = environ; at && *at; at++)
        printf("%s\n", *at);
    printf("HOME is %s\n", getenv("HOME") ? getenv("HOME") : "not set");
    return 0;
}
