/* The text of --help, by theme. */
#pragma once

void help_print(void);
