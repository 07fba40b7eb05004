"""Where rows come from: the simulated shop, and how it draws people, garments, words and truth."""
