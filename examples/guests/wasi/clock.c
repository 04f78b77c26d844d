// Clocks, sleeping and polling. Prints only what any right clock gives; "clock raw" prints the times themselves.
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static long long now(clockid_t clock)
{
    struct timespec t;
    if (clock_gettime(clock, &t))
        return -1;
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(int argc, char **argv)
{
    int raw = argc > 1 && !strcmp(argv[1], "raw");
    struct timespec resolution;
    printf("resolution: %s\n", clock_getres(CLOCK_MONOTONIC, &resolution) || resolution.tv_sec || resolution.tv_nsec <= 0 ? "wrong" : "ok");
    long long start = now(CLOCK_MONOTONIC), real = now(CLOCK_REALTIME);
    struct timespec pause = {0, 30000000};
    printf("nanosleep: %d\n", nanosleep(&pause, NULL));
    long long slept = now(CLOCK_MONOTONIC) - start;
    printf("monotonic: %s\n", slept >= 30000000 && slept < 5000000000 ? "ok" : "wrong");
    slept = now(CLOCK_REALTIME) - real;
    printf("realtime: %s\n", slept >= 29000000 && slept < 5000000000 ? "ok" : "wrong");
    start = now(CLOCK_MONOTONIC);
    printf("usleep: %d\n", usleep(2000));
    slept = now(CLOCK_MONOTONIC) - start;
    printf("after usleep: %s\n", slept >= 2000000 ? "ok" : "wrong");
    struct pollfd out = {.fd = 1, .events = POLLOUT};
    printf("poll: %d", poll(&out, 1, 1000));
    printf(" %s\n", out.revents & POLLOUT ? "writable" : "?");
    printf("sched_yield: %d\n", sched_yield());
    printf("time: %s\n", time(NULL) == now(CLOCK_REALTIME) / 1000000000 ? "ok" : "wrong");
    if (raw)
        printf("%lld %lld\n", now(CLOCK_REALTIME), now(CLOCK_MONOTONIC));
    return 0;
}
