/* Reads where nothing is. */
#include "guest.h"

int run(int argc, char **argv, char **envp)
{
    (void)argv, (void)envp;
    print(1, "about to fall\n");
    return *(volatile int *)(long)argc;
}
