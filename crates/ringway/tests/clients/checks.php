<?php
// What a client program saw and what it was to see: all differences are told at the end, not only the first.

$failures = [];

function same(string $what, mixed $saw, mixed $expected): void
{
    global $failures;
    if ($saw !== $expected) {
        $failures[] = "$what\n    saw:      " . json_encode($saw) . "\n    expected: " . json_encode($expected);
    }
}

// A part of the program: if it breaks off, the next ones run all the same.
function part(string $name, callable $run): void
{
    global $failures;
    try {
        $run();
    } catch (Throwable $error) {
        $failures[] = "$name: " . get_class($error) . ": {$error->getMessage()} at line {$error->getLine()}";
    }
}

function finish(): void
{
    global $failures;
    echo $failures ? count($failures) . " differences:\n" . implode("\n", $failures) . "\n" : "fine\n";
    exit($failures ? 1 : 0);
}

set_error_handler(function (int $level, string $text, string $file, int $line): bool {
    global $failures;
    $failures[] = "PHP said: $text at line $line";
    return true;
});
