/* Gives a program of freeze-core, which runs a script frozen into it, the interpreter's own main():
 * the program is linked with this library, whose __libc_start_main comes before the C library's. */
#define _GNU_SOURCE
#include <dlfcn.h>

typedef int main_function(int argc, char **argv, char **environment);
typedef int start_function(main_function *main, int argc, char **argv, void (*init)(void),
                           void (*fini)(void), void (*linker_fini)(void), void *stack_end);

extern int Py_BytesMain(int argc, char **argv);

static int interpreter(int argc, char **argv, char **environment)
{
    (void)environment;
    return Py_BytesMain(argc, argv);
}

int __libc_start_main(main_function *main, int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*linker_fini)(void), void *stack_end)
{
    (void)main;
    start_function *start = (start_function *)dlsym(RTLD_NEXT, "__libc_start_main");
    return start(interpreter, argc, argv, init, fini, linker_fini, stack_end);
}
