/* Takes memory and touches it until there is no more. */
#include "guest.h"

int run(int argc, char **argv, char **envp)
{
    (void)argc, (void)argv, (void)envp;
    for (;;)
    {
        volatile char *page = (char *)call(__NR_brk, 0, 0, 0);
        call(__NR_brk, (long)page + 65536, 0, 0);
        for (int i = 0; i < 65536; i += 4096)
            page[i] = 1;
    }
}
