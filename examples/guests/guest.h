/* System calls for guest programs that need no C library, so that each is a static ELF of a few kilobytes. */
#include <asm/unistd.h>

static long call(long n, long a, long b, long c)
{
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(n), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return result;
}

static long length(const char *text)
{
    long n = 0;
    while (text[n])
        n++;
    return n;
}

static void print(int file, const char *text)
{
    call(__NR_write, file, (long)text, length(text));
}

int run(int argc, char **argv, char **envp);

__attribute__((used)) void enter(long *stack)
{
    int argc = stack[0];
    char **argv = (char **)(stack + 1);
    call(__NR_exit_group, run(argc, argv, argv + argc + 1), 0, 0);
}

__attribute__((naked, noreturn)) void _start(void)
{
    __asm__ volatile("xor %ebp, %ebp\n mov %rsp, %rdi\n and $-16, %rsp\n call enter");
}
