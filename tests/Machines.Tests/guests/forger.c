/*
 * Tries to forge its own result: to reach init's memory, the job, and what init would read through links; then sends
 * a frame through the port of the result channel itself, which the processor must refuse.
 */
#include "guest.h"

int run(int argc, char **argv, char **envp)
{
    static const char forged[] = "\x06\x28\0\0\0";
    const char *bytes = forged;
    unsigned long count = sizeof forged - 1;
    (void)argc, (void)argv, (void)envp;
    print(1, call(__NR_open, (long)"/proc/1/mem", 2, 0) < 0 ? "init is closed\n" : "INIT IS OPEN\n");
    print(1, call(__NR_open, (long)"/job", 0, 0) < 0 ? "job is out of reach\n" : "JOB IS IN REACH\n");
    print(1, call(__NR_ioperm, 0xe9, 1, 1) < 0 ? "port is refused\n" : "PORT IS GRANTED\n");
    print(1, call(__NR_kill, 1, 9, 0) < 0 ? "init cannot be killed\n" : "INIT WAS KILLED\n");
    call(__NR_symlink, (long)"/../job", (long)"/link", 0);
    call(__NR_mkdir, (long)"/folder", 0755, 0);
    __asm__ volatile("rep outsb" : "+S"(bytes), "+c"(count) : "d"(0xe9) : "memory");
    print(1, "PORT WAS WRITTEN\n");
    return 0;
}
