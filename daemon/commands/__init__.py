"""What the commands of `ringmail` do, one file a command or family."""
