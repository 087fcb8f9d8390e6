"""What is not trusted runs in a process of its own: strangers' files and templates, untried builds."""
