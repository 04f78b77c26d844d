// A hello-world that brings much of a C library along: a module of about 130 kB, of which a run needs little.
#include <dirent.h>
#include <fnmatch.h>
#include <glob.h>
#include <locale.h>
#include <math.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static int byText(const void *a, const void *b)
{
    return strcoll(*(char *const *)a, *(char *const *)b);
}

// Only run when there is an argument; linked in any case.
static int everything(int count, char **words)
{
    setlocale(LC_ALL, "");
    qsort(words, count, sizeof *words, byText);
    regex_t pattern;
    if (regcomp(&pattern, words[0], REG_EXTENDED))
        return 1;
    double total = 0;
    for (int i = 0; i < count; i++)
    {
        int number = 0;
        double x = strtod(words[i], NULL);
        sscanf(words[i], "%d:%lf", &number, &x);
        total += pow(x, 1.5) + sin(x) * cos(x) + exp(x) + fmod(x, 3) + cbrt(x);
        total += (double)strtold(words[i], NULL);
        printf("%s %d %d\n", words[i], fnmatch("a*", words[i], 0), regexec(&pattern, words[i], 0, NULL, 0));
    }
    time_t now = time(NULL);
    char text[100];
    struct tm parts;
    strftime(text, sizeof text, "%A %c %Z", gmtime_r(&now, &parts));
    glob_t found;
    glob("/in/*", 0, NULL, &found);
    struct dirent **entries;
    int names = scandir("/in", &entries, NULL, alphasort);
    struct stat status;
    printf("%s %g %La %d %zu %d\n", text, total, (long double)total, names, found.gl_pathc, stat(words[0], &status));
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return everything(argc - 1, argv + 1);
    printf("Hello, world: %d, %.3f\n", 42, 3.14159);
    return 0;
}
