<?php
// One request of a PHP site with sessions, as a process of its own: adds one to the visits of the session in argv[1], with a pause
// of argv[2] milliseconds between reading and writing that a lock must cover. Handler, path and locking are given by `-d`.
session_id($argv[1]);
if (!session_start()) {
    fwrite(STDERR, "no session\n");
    exit(1);
}
$visits = ($_SESSION['visits'] ?? 0) + 1;
usleep(1000 * (int) ($argv[2] ?? 0));
$_SESSION['visits'] = $visits;
$_SESSION['basket'] = ['apple', ['pear' => 2.5]];
if (($argv[3] ?? '') === 'leave') {
    session_destroy();
} else {
    session_write_close();
}
echo $visits, "\n";
