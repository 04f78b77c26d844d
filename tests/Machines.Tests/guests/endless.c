/* Writes to stdout and stderr for ever. */
#include "guest.h"

int run(int argc, char **argv, char **envp)
{
    (void)argc, (void)argv, (void)envp;
    for (;;)
    {
        print(1, "all work and no play makes a dull guest\n");
        print(2, "and complaining about it does not help at all\n");
    }
}
