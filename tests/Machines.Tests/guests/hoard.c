/* Leaves a file of 64 MB, and ends. Collecting it takes a minute or more. */
#include "guest.h"

int run(int argc, char **argv, char **envp)
{
    (void)argc, (void)argv, (void)envp;
    long file = call(__NR_open, (long)"/hoard", 0101, 0600);
    call(__NR_ftruncate, file, 64 << 20, 0);
    print(1, "done\n");
    return 0;
}
