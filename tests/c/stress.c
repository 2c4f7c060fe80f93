/* The C half under load, without Python: this program plays the interpreter.
 *
 * Law: a case is named after the promise it puts to the test, counts exactly, and ends each time in
 * one way; only the interleavings on the way differ. A file has the cases of one subject, and each
 * knows no more of the C half than it needs: its functions, the layout of a record, the state. Run
 * by run.py, which builds the program plain and under sanitizers; each case is a process of its
 * own, and can be named on the command line.
 */
#include "harness.h"

int main(int argc, char **argv)
{
    return run_cases(argc, argv);
}
